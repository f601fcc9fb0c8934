"""What control calls have in common: JSON objects that are obeyed, or refused with a reason."""

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify, request
from werkzeug.exceptions import HTTPException


class BadOrder(ValueError):
    """A control call that cannot be obeyed; the text says why."""


def refused(error: BadOrder) -> tuple[Response, int]:
    return jsonify(error=str(error)), 400


def posted() -> dict[str, Any]:
    """The order in this request. Raises BadOrder."""
    try:
        order = request.get_json()
    except HTTPException as error:
        raise BadOrder("JSON is needed, with its Content-Type") from error
    if not isinstance(order, dict):
        raise BadOrder("a JSON object is needed")
    return order


def required(order: Mapping[str, Any], name: str) -> Any:
    if order.get(name) in (None, ""):
        raise BadOrder(f"{name} is needed")
    return order[name]
