"""«Уведомления», and the bell that leads there."""

from flask import Blueprint, Flask, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from app.notifications import inbox
from app.web.access import writes

blueprint = Blueprint("notifications", __name__, url_prefix="/notices")


def register(app: Flask) -> None:
    app.jinja_env.globals.update(
        unread_notifications=lambda: inbox.unread(current_user),
        most_unread=inbox.MOST_UNREAD,
        notification_about=inbox.about,
    )


@blueprint.get("")
@writes
def page() -> ResponseReturnValue:
    """Opening it is reading it."""
    shown, new = inbox.look(current_user, request.args.get("page", 1, int))
    return render_template("notifications/page.html", shown=shown, new=new)


def bell() -> Markup:
    """For an answer that tells of a change: takes the place of the bell that the page shows."""
    return Markup(render_template("notifications/_bell.html", oob=True))
