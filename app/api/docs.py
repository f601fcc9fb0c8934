"""The specification for programs, and the same as a page for people."""

import re
from functools import lru_cache

from flask import Blueprint, Response, current_app, render_template

from app.api import docs_page, openapi
from app.api.blueprint import json_response
from app.texts.api import FIELDS, STATUSES
from app.texts.problems import PROBLEMS

blueprint = Blueprint("api_docs", __name__, url_prefix="/api/v1")


@blueprint.get("/openapi.json")
def openapi_json() -> Response:
    return json_response(openapi.of(current_app))


@blueprint.get("/docs")
def page() -> str:
    document = openapi.of(current_app)
    return render_template(
        "api/docs.html",
        base=f"{current_app.config['PUBLIC_URL']}/api/v1",
        nouns=docs_page.nouns(document),
        schemas=docs_page.schemas(document),
        quota=current_app.config["API_REQUESTS_PER_MINUTE"],
        codes=_codes(),
    )


@lru_cache
def _codes() -> dict[str, str]:
    """Every code of a refusal and its sentence: the addresses of `type` lead here."""
    known = {code: sentence for code, _title, sentence in STATUSES.values()} | FIELDS | PROBLEMS
    return {code: re.sub(r"\{\w+\}", "…", known[code]) for code in sorted(known)}


for view in (openapi_json, page):
    view.is_public = True
