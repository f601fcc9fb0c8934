"""VK's API on the wire: calls, uploads, and what each error means (https://dev.vk.com/ru/reference/errors)."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from app import clock
from app.platforms.base import PublishContext
from app.platforms.errors import PlatformError, RateLimited, Refused, TokenExpired, Unavailable
from app.platforms.http.body import Multipart
from app.platforms.http.client import Http, Window
from app.platforms.http.response import Response
from app.platforms.http.timeouts import LONG_RESPONSE_SECONDS

VERSION = "5.199"  # https://dev.vk.com/ru/reference/versions
# https://dev.vk.com/ru/api/api-requests#limits
PER_TOKEN = (3, 1.0)

_UNKNOWN_METHOD = 3
_UPLOAD_FAILED = 22
_RETRY = {1, 10}
_TOKEN = {5, 27, 28, 1117}
# Seconds: too many a second, flood control, a method's daily limit, a video that is not encoded yet.
_LIMIT = {6: 1, 9: 300, 29: 3600, 3001: 5}
REASONS = {
    **dict.fromkeys((7, 15, 203, 204, 214, 1051), "vk_rights"),
    **dict.fromkeys((14, 17, 24, 25), "vk_user_wanted"),
}
# Of an upload address' refusals: those that another address would not mend.
_NOT_OF_THE_ADDRESS = (408, 429)
PAUSE = 5  # seconds, where VK names none


class RouteUnknown(PlatformError):
    """This token does not know the method."""


class UploadLost(PlatformError):
    """The upload address is no longer good: a new one is needed."""


class VkApi:
    def __init__(self, url: str, http: Http) -> None:
        self._url, self._http = url, http

    def method(self, method: str, token: str, **params: Any) -> Any:
        self._http.pace(Window(f"vk:token:{token}", *PER_TOKEN))
        response = self._http.request(
            "POST",
            f"{self._url}/method/{method}",
            data={**params, "access_token": token, "v": VERSION},
        )
        payload = response.json()
        error = payload.get("error") if isinstance(payload, dict) else None
        if isinstance(error, dict) and type(error.get("error_code")) is int:
            raise _error(error, response)
        response.raise_if_limited(PAUSE)
        if response.status != 200 or not isinstance(payload, dict) or "response" not in payload:
            raise Unavailable(f"ошибка {response.status}, не похоже на ответ VK")
        return payload["response"]

    def items(self, method: str, token: str, **params: Any) -> list[Mapping[str, Any]]:
        """A list that VK returns: a response without one does not mean that there is nothing."""
        response = self.method(method, token, **params)
        items = response.get("items") if isinstance(response, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise Unavailable("в ответе VK нет списка")
        return items

    def upload(
        self, context: PublishContext, url: str, field: str, before_last: Callable[[], None] | None = None
    ) -> Mapping[str, Any]:
        clip = context.clip
        hooks = {"on_block": context.progress, "before_last": before_last}
        with clip.open() as file:
            body = Multipart({}, field, f"clip{clip.extension}", clip.content_type, file, clip.size, **hooks)
            seconds = LONG_RESPONSE_SECONDS if before_last else 60
            response = self._http.request("POST", url, data=body, headers=body.headers, response_seconds=seconds)
        return _uploaded(response, clip.size, is_commit=before_last is not None)


def _uploaded(response: Response, size: int, is_commit: bool) -> Mapping[str, Any]:
    response.raise_if_limited(PAUSE)
    payload = response.json()
    if response.status == 413:
        raise Refused("too_large")
    if isinstance(payload, dict) and response.status < 500 and ("error" in payload or "error_code" in payload):
        detail = payload.get("error_descr") or payload.get("error") or payload["error_code"]
        raise UploadLost("unavailable", str(detail))
    if 400 <= response.status < 500 and response.status not in _NOT_OF_THE_ADDRESS:
        raise UploadLost("unavailable", f"ошибка {response.status} от адреса загрузки VK")
    if response.status < 400 and not isinstance(payload, dict) and not is_commit:
        raise UploadLost("unavailable", "страница вместо ответа на загрузку")
    if response.status != 200 or not isinstance(payload, dict) or "video_id" not in payload:
        raise Unavailable(f"ошибка {response.status} от сервера загрузки VK")
    if payload.get("size") not in (None, size):
        raise UploadLost("unavailable", f"VK получил {payload['size']} байт из {size}")
    return payload


def _error(error: Mapping[str, Any], response: Response) -> PlatformError:
    code, detail = error["error_code"], str(error.get("error_msg", ""))
    if code == _UNKNOWN_METHOD:
        return RouteUnknown("refused", detail)
    if code == _UPLOAD_FAILED:
        return UploadLost("unavailable", detail)
    if code in _RETRY:
        response.raise_if_limited(PAUSE, detail)
        return Unavailable(f"{code} {detail}")
    if code in _TOKEN:
        return TokenExpired(detail)
    if code in _LIMIT:
        return RateLimited(max(clock.now() + timedelta(seconds=_LIMIT[code]), response.retry_at(_LIMIT[code])), detail)
    return Refused(REASONS.get(code, "refused"), detail)
