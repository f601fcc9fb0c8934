from flask import Blueprint

from app.web.access import public

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def process() -> str:
    """This process answers."""
    return "ok"
