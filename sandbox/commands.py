"""Parsing of control commands: JSON objects, or HTTP 400 with the reason."""

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify, request
from werkzeug.exceptions import HTTPException


class BadCommand(ValueError):
    """An invalid control command; the text is the reason."""


def bad_command_response(error: BadCommand) -> tuple[Response, int]:
    return jsonify(error=str(error)), 400


def parse_command() -> dict[str, Any]:
    """Returns the JSON object of this request. Raises BadCommand."""
    try:
        command = request.get_json()
    except HTTPException as error:
        raise BadCommand("JSON is needed, with its Content-Type") from error
    if not isinstance(command, dict):
        raise BadCommand("a JSON object is needed")
    return command


def required(command: Mapping[str, Any], name: str) -> Any:
    if command.get(name) in (None, ""):
        raise BadCommand(f"{name} is needed")
    return command[name]
