"""What Rutube says: the shapes of Django REST framework, https://www.django-rest-framework.org/api-guide/exceptions/"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from sandbox.emulator import answer

REQUIRED = "Обязательное поле."


class Refusal(Exception):
    """`{"detail"}` for a text, `{field: [text]}` for a mapping."""

    def __init__(self, status: int, said: str | Mapping[str, list[str]], retry_after: int | None = None) -> None:
        super().__init__(said)
        self._status = status
        self._body = {"detail": said} if isinstance(said, str) else dict(said)
        self._retry_after = retry_after

    def response(self) -> Response:
        return answer(self._body, self._status, self._retry_after)


def too_many(seconds: int) -> Refusal:
    return Refusal(429, f"Запрос был проигнорирован. Ожидается доступность через {seconds} с.", seconds)


def posted() -> dict[str, Any]:
    """The JSON object in this request. Raises Refusal."""
    if request.mimetype != "application/json":
        raise Refusal(415, f'Неподдерживаемый тип данных "{request.mimetype}" в запросе.')
    try:
        sent = request.get_json()
    except HTTPException as error:
        raise Refusal(400, "JSON parse error") from error
    if not isinstance(sent, dict):
        raise Refusal(400, {"non_field_errors": ["Недопустимые данные. Ожидался dictionary."]})
    return sent


Reader = Callable[[Any], Any]
"""Makes a value of what was sent, or raises ValueError with the words for the user."""


def read(sent: Mapping[str, Any], readers: Mapping[str, Reader], required: bool) -> dict[str, Any]:
    """The fields that have a reader; others are ignored. Raises one Refusal for all that are wrong."""
    values, errors = {}, {}
    for name, reader in readers.items():
        if name in sent:
            try:
                values[name] = reader(sent[name])
            except ValueError as error:
                errors[name] = [str(error)]
        elif required:
            errors[name] = [REQUIRED]
    if errors:
        raise Refusal(400, errors)
    return values
