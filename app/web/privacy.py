"""The page about personal data."""

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from app.services import users
from app.web.access import public

blueprint = Blueprint("privacy", __name__)


@blueprint.get("/privacy")
@public
def page() -> ResponseReturnValue:
    return render_template(
        "privacy/page.html",
        version=users.CONSENT_VERSION,
        operator=current_app.config["OPERATOR_NAME"],
        contact=current_app.config["OPERATOR_CONTACT"],
    )
