"""OK's API on the wire: signed calls, uploads, and what each error means (https://apiok.ru/en/dev/errors).

Errors come with HTTP 200, and an answer may be any JSON: a bare string, or null.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog

from app import clock
from app.platforms.base import PublishContext
from app.platforms.errors import (
    PlatformError,
    RateLimited,
    Reconnect,
    Refused,
    TokenExpired,
    Unavailable,
    UploadRefused,
)
from app.platforms.http.body import Multipart
from app.platforms.http.client import Http, Window
from app.platforms.http.response import Response

log = structlog.get_logger(__name__)

# The vendor names no number.
PER_TOKEN = (5, 1.0)
PAUSE = 5  # seconds, where OK names none

_UNAVAILABLE = {1, 2}
# Seconds: too many requests, a method's limit.
_LIMIT = {4: 60, 11: 30}
_PARAMETER = 100
_SESSION_EXPIRED, _SESSION_KEY = 102, 103
REASONS = {
    10: "ok_rights",
    200: "ok_rights",
    101: "ok_application",
    104: "ok_signature",
}
# What a wrong setting or a fault of ours looks like: told to the operator.
_OURS = {101, 104}
# In the text of a 100: https://apiok.ru/en/dev/methods/rest/video/video.getUploadUrl
PARAMETERS = {
    "filetosmall": "ok_too_small",
    "filetoosmall": "ok_too_small",
    "filetolarge": "too_large",
    "filetoolarge": "too_large",
    "badformat": "ok_format",
}
# Of an upload address' refusals: those that another address would not mend.
_NOT_OF_THE_ADDRESS = (408, 429)


def signature(params: Mapping[str, str], token: str, application_secret: str) -> str:
    """Of all parameters but `access_token`: https://apiok.ru/en/dev/methods/"""
    session_secret = _md5(token + application_secret)
    return _md5("".join(f"{name}={params[name]}" for name in sorted(params)) + session_secret)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class OkApi:
    def __init__(self, config: Mapping[str, Any], http: Http) -> None:
        self._url = config["OK_API_URL"]
        self._key, self._secret = config["OK_PUBLIC_KEY"], config["OK_CLIENT_SECRET"]
        self._http = http

    def call(self, method: str, token: str, **params: str) -> Any:
        self._http.pace(Window(f"ok:token:{token}", *PER_TOKEN))
        named = {**params, "application_key": self._key, "format": "json"}
        signed = signature({**named, "method": method}, token, self._secret)
        response = self._http.request(
            "POST",
            f"{self._url}/fb.do",
            params={"method": method},
            data={**named, "access_token": token, "sig": signed},
        )
        return answer_of(response)

    def items(self, method: str, name: str, token: str, **params: str) -> list[Mapping[str, Any]]:
        """A list that OK returns, bare or in an object, which lacks it where it would be empty."""
        return list_in(self.call(method, token, **params), name)

    def upload(self, context: PublishContext, url: str) -> None:
        clip = context.clip
        with clip.open() as file:
            body = Multipart(
                {},
                "data",
                f"clip{clip.extension}",
                clip.content_type,
                file,
                clip.size,
                on_block=context.progress,
            )
            response = self._http.request("POST", url, data=body, headers=body.headers, response_seconds=60)
        _check_uploaded(response)


def answer_of(response: Response) -> Any:
    """Raises what an error means; Unavailable where it is no answer of OK."""
    payload = response.json()
    if error := error_in(payload, response):
        raise error
    response.raise_if_limited(PAUSE)
    if response.status != 200 or (payload is None and response.body.strip() != b"null"):
        raise Unavailable(f"ошибка {response.status}, не похоже на ответ OK")
    return payload


def list_in(payload: Any, name: str) -> list[Mapping[str, Any]]:
    found = payload.get(name) if isinstance(payload, dict) else payload
    if found is None and isinstance(payload, dict) and not any(isinstance(one, list) for one in payload.values()):
        found = []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Unavailable("в ответе OK нет списка")
    return found


def error_in(payload: Any, response: Response) -> PlatformError | None:
    code = _code(payload.get("error_code")) if isinstance(payload, dict) else None
    if code is None:
        return None
    detail = str(payload.get("error_msg") or "")
    if code in _UNAVAILABLE:
        response.raise_if_limited(PAUSE, detail)
        return Unavailable(f"{code} {detail}")
    if code in _LIMIT:
        pause = max(clock.now() + timedelta(seconds=_LIMIT[code]), response.retry_at(_LIMIT[code]))
        return RateLimited(pause, detail)
    if code == _SESSION_EXPIRED:
        return TokenExpired(detail)
    if code == _SESSION_KEY:
        return Reconnect(detail)
    if code in _OURS:
        log.error("OK refuses a call of this installation", code=code)
    reason = _parameter_reason(detail) if code == _PARAMETER else REASONS.get(code, "refused")
    return Refused(reason, detail)


def _code(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if type(value) is int else None


def _parameter_reason(detail: str) -> str:
    plain = detail.replace(" ", "").lower()
    return next((reason for text, reason in PARAMETERS.items() if text in plain), "refused")


def _check_uploaded(response: Response) -> None:
    """The upload server's answer has no documented shape: what is no page and no refusal is a success."""
    response.raise_if_limited(PAUSE)
    payload = response.json()
    if response.status == 413:
        raise Refused("too_large")
    error = error_in(payload, response)
    if isinstance(error, Refused) and error.reason in PARAMETERS.values():
        raise error
    if isinstance(error, Refused | Reconnect | TokenExpired):
        raise UploadRefused("ok_upload", error.detail)
    if 400 <= response.status < 500 and response.status not in _NOT_OF_THE_ADDRESS:
        raise UploadRefused("ok_upload", f"ошибка {response.status} от адреса загрузки OK")
    if error:
        raise error
    is_page = response.body.lstrip()[:9].lower().startswith((b"<!doctype", b"<html"))
    if not 200 <= response.status < 300 or is_page:
        raise Unavailable(f"ошибка {response.status} от сервера загрузки OK")
    if isinstance(payload, dict) and payload.get("error"):
        raise UploadRefused("ok_upload", str(payload.get("error_description") or payload["error"]))


def count_in(value: Any) -> int | None:
    """Numbers may be strings."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if type(value) is int else None
