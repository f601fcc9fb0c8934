"""The plan as a table for a spreadsheet, which can be imported again."""

from flask import Blueprint, Response
from flask_login import current_user

from app.services import plan_export
from app.web.plan_import import as_file

blueprint = Blueprint("plan_export", __name__, url_prefix="/plan")


@blueprint.get("/export.csv")
def scheduled() -> Response:
    return as_file(plan_export.scheduled(current_user), "vezde-plan.csv")
