"""The specification for programs, and the same as a page for people."""

from flask import Response, current_app, jsonify

from app.api import openapi
from app.api.blueprint import Blueprint

blueprint = Blueprint("docs", "Описание", prefix="/api/v1")


@blueprint.route("/openapi.json", endpoint="openapi_json", provide_automatic_options=False)
def openapi_json() -> Response:
    return jsonify(openapi.of(current_app))


openapi_json.is_public = True
