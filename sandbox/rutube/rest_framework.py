"""Errors and field validation in the format of Django REST framework.

https://www.django-rest-framework.org/api-guide/exceptions/
"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from sandbox.emulator import json_response

REQUIRED = "Обязательное поле."


class ApiError(Exception):
    """An error response: `{"detail"}` for a text, `{field: [text]}` for a mapping."""

    def __init__(self, status: int, problem: str | Mapping[str, list[str]], retry_after: int | None = None) -> None:
        super().__init__(problem)
        self._status = status
        self._body = {"detail": problem} if isinstance(problem, str) else dict(problem)
        self._retry_after = retry_after

    def response(self) -> Response:
        return json_response(self._body, self._status, self._retry_after)


def too_many(seconds: int) -> ApiError:
    return ApiError(429, f"Запрос был проигнорирован. Ожидается доступность через {seconds} с.", seconds)


def json_body() -> dict[str, Any]:
    """Returns the JSON object of this request. Raises ApiError."""
    if request.mimetype != "application/json":
        raise ApiError(415, f'Неподдерживаемый тип данных "{request.mimetype}" в запросе.')
    try:
        body = request.get_json()
    except HTTPException as error:
        raise ApiError(400, "JSON parse error") from error
    if not isinstance(body, dict):
        raise ApiError(400, {"non_field_errors": ["Недопустимые данные. Ожидался dictionary."]})
    return body


Parser = Callable[[Any], Any]
"""Returns the parsed value, or raises ValueError with a text for the user."""


def parse_fields(body: Mapping[str, Any], parsers: Mapping[str, Parser], required: bool) -> dict[str, Any]:
    """Returns the fields that have a parser; others are ignored. Raises one ApiError for all invalid fields."""
    values, errors = {}, {}
    for name, parse in parsers.items():
        if name in body:
            try:
                values[name] = parse(body[name])
            except ValueError as error:
                errors[name] = [str(error)]
        elif required:
            errors[name] = [REQUIRED]
    if errors:
        raise ApiError(400, errors)
    return values
