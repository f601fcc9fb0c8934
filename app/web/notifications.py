"""«Уведомления», and the bell that leads there."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from app.notifications import inbox
from app.web.access import writes

blueprint = Blueprint("notifications", __name__, url_prefix="/notices")


@blueprint.get("")
@writes
def page() -> ResponseReturnValue:
    """Opening it marks its notifications as read."""
    shown, new = inbox.read_page(current_user, request.args.get("page", 1, int))
    return render_template("notifications/page.html", shown=shown, new=new)


def bell() -> Markup:
    """For a response to a page that is open: takes the place of its bell."""
    return Markup(render_template("notifications/_bell.html", oob=True))
