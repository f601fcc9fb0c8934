"""What Rutube says: the shapes of Django REST framework, https://www.django-rest-framework.org/api-guide/exceptions/"""

from typing import Any

from flask import Response

from sandbox.emulator import answer

REQUIRED = "Обязательное поле."


class Refusal(Exception):
    """`{"detail"}` for a text, `{field: [text]}` for a mapping."""

    def __init__(self, status: int, said: str | dict[str, list[str]]) -> None:
        super().__init__(said)
        self.status = status
        self.said = {"detail": said} if isinstance(said, str) else said

    def response(self, retry_after: int | None = None) -> Response:
        return answer(self.said, self.status, retry_after)


class TooMany(Refusal):
    def __init__(self, seconds: int) -> None:
        super().__init__(429, f"Запрос был проигнорирован. Ожидается доступность через {seconds} с.")
        self._seconds = seconds

    def response(self, retry_after: int | None = None) -> Response:
        return super().response(retry_after or self._seconds)


def wrong(field: str, why: str) -> Refusal:
    return Refusal(400, {field: [why]})


def checked(fields: dict[str, Any], **readers: Any) -> dict[str, Any]:
    """Reads each field that is there by its reader; raises one Refusal that names all that are wrong."""
    read, errors = {}, {}
    for name, reader in readers.items():
        if name not in fields:
            continue
        try:
            read[name] = reader(fields[name])
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise Refusal(400, errors)
    return read
