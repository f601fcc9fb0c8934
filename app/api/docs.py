"""The specification for programs, and the same as a page for people."""

from flask import Response, current_app

from app.api import openapi
from app.api.blueprint import Blueprint, json_response

blueprint = Blueprint("docs", "Описание", prefix="/api/v1")


@blueprint.route("/openapi.json", endpoint="openapi_json", provide_automatic_options=False)
def openapi_json() -> Response:
    return json_response(openapi.of(current_app))


openapi_json.is_public = True
