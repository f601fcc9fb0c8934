"""Resumable uploads for programs: the protocol of `app.serving.tus`, with a key in the place of a session."""

from typing import Any

from app.api.blueprint import Blueprint
from app.serving import tus

blueprint = Blueprint("uploads", "Загрузка частями (tus 1.0)")
blueprint.after_request(tus.add_headers)

_VERSION = {
    "name": "Tus-Resumable",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "const": tus.VERSION},
}


def _header(name: str, description: str, required: bool = True, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}
