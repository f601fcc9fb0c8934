"""What a response of the API says, or why it is none: a body without an end, HTML, a refusal."""

import json
import time
from typing import Any

import requests

from vezde_client.errors import ClientError, Refused, Unauthorized, Unavailable

MAX_BYTES = 16 << 20
SECONDS = 60  # for a whole body: a server that sends a byte a minute is as good as none

_MAY_PASS = (500, 502, 503, 504)


class Answer:
    """A response that has been read to its end."""

    def __init__(self, response: requests.Response, body: bytes) -> None:
        self.status, self.headers, self._body = response.status_code, response.headers, body
        self.media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """Raises Unavailable where it is something else: a proxy's page, half a body."""
        if self.media_type not in ("application/json", "application/problem+json"):
            raise foreign(self.status, self.media_type)
        try:
            return json.loads(self._body)
        except (ValueError, RecursionError):
            raise foreign(self.status, "испорченный JSON") from None

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may be answered otherwise in a while."""
        return self.status == 429 or self.status in _MAY_PASS or (self.status in (409, 423) and self.waits is not None)

    @property
    def waits(self) -> float | None:
        """Seconds of Retry-After. A date is not taken: the API sends none."""
        text = self.headers.get("Retry-After", "")
        return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None

    def raise_for_refusal(self) -> None:
        if self.status < 300:
            return
        if self.status < 400:
            where = self.headers.get("Location", "")
            raise Unavailable(f"Адрес сервиса изменился: отсюда посылают на {where}. Войдите заново: vezde login --url")
        raise self.refusal()

    def refusal(self) -> ClientError:
        if self.media_type != "application/problem+json":
            return foreign(self.status, self.media_type)
        problem = self.json() if self._body else {"detail": f"Отказ со статусом {self.status}."}  # of a HEAD
        if not isinstance(problem, dict):
            return foreign(self.status, "испорченный JSON")
        code, message = problem.get("code"), sentence(problem)
        if self.status in (401, 403):
            return Unauthorized(message, code, problem)
        if self.is_temporary:
            return Unavailable(message, code, problem)
        return Refused(message, code, problem, self.status)


def sentence(problem: dict[str, Any]) -> str:
    """What a refusal says, with what is wrong in each field."""
    said = str(problem.get("detail") or problem.get("title") or "Отказ без объяснения.")
    fields = [f"{one['field']}: {one['detail']}" for one in problem.get("errors") or [] if one["detail"] != said]
    return "\n  ".join([said, *fields])


def foreign(status: int, what: str) -> Unavailable:
    return Unavailable(
        f"Ответил не API «Везде»: статус {status}, {what or 'вид не назван'}. Проверьте адрес; "
        "если он верный, сервис или посредник перед ним временно не работает."
    )


def read(response: requests.Response) -> Answer:
    """Raises Unavailable; whatever of `requests` and urllib3 a broken connection raises."""
    end = time.monotonic() + SECONDS
    body = bytearray()
    with response:
        while block := response.raw.read1(1 << 16, decode_content=True):
            body += block
            if len(body) > MAX_BYTES:
                raise Unavailable("Ответ слишком велик: это не API «Везде».")
            if time.monotonic() > end:
                raise Unavailable("Ответ идёт слишком медленно.")
    return Answer(response, bytes(body))
