"""MAX's Bot API on the wire, and what its answers mean: https://dev.max.ru/docs-api"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.platforms.base import Token
from app.platforms.errors import Incident, PlatformError, RateLimited, Reconnect, Refused, Unavailable
from app.platforms.http.client import Http, Window
from app.platforms.http.response import Response

# https://dev.max.ru/docs-api: requests a second of a bot, messages a second in a channel
PER_BOT = (30, 1.0)
PER_CHANNEL = (2, 1.0)
PAUSE = 1  # seconds, where MAX names none; the engine doubles it
# Of GET /messages.
MOST_MESSAGES = 100

_BAD_TOKEN = "verify.token"
_NOT_READY = "attachment.not.ready"
_LIMITED = "too.many.requests"
# "errors.process.attachment.movie.not.owner", in the message of a `proto.payload`
_NOT_OWNER = "not.owner"


class Denied(Refused):
    """The bot may not do this in the channel, or the channel is not there."""


class NotReady(PlatformError):
    """The file is still being processed: nothing was published, the message is to be sent again."""

    def __init__(self, detail: str) -> None:
        super().__init__("max_processing", detail)


class MaxApi:
    def __init__(self, url: str, http: Http) -> None:
        self._url, self._http = url, http

    def pace(self, token: Token, channel: int | None = None) -> None:
        """Before each call; `channel`: before a message to it."""
        windows = [Window(f"max:bot:{token.access}", *PER_BOT)]
        if channel is not None:
            windows.append(Window(f"max:channel:{channel}", *PER_CHANNEL))
        self._http.pace(*windows)

    def call(self, method: str, path: str, token: Token, **kwargs: Any) -> Mapping[str, Any]:
        """The token is the whole header, without `Bearer`. Raises what an error means."""
        headers = {"Authorization": token.access}
        return _payload(self._http.request(method, f"{self._url}{path}", headers=headers, **kwargs))

    def ask(self, method: str, path: str, token: Token, **params: Any) -> Mapping[str, Any]:
        self.pace(token)
        return self.call(method, path, token, params=params)

    def messages(self, token: Token, **params: Any) -> Sequence[Mapping[str, Any]]:
        """Newest first. An answer without the list does not mean that there are none."""
        found = self.ask("GET", "/messages", token, **params).get("messages")
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise Unavailable("в ответе MAX нет списка сообщений")
        return found


def _payload(response: Response) -> Mapping[str, Any]:
    payload = response.json()
    if not isinstance(payload, dict):
        response.raise_if_limited(PAUSE)
        raise Unavailable(f"ошибка {response.status}, не похоже на ответ MAX")
    # Some methods answer an error with 200.
    if not 200 <= response.status < 300 or payload.get("success") is False:
        raise _meaning(response, payload)
    return payload


def _meaning(response: Response, payload: Mapping[str, Any]) -> PlatformError:
    status, code = response.status, str(payload.get("code") or "")
    detail = str(payload.get("message") or payload.get("error") or code)
    if status == 401 or code == _BAD_TOKEN:
        return Reconnect(detail)
    if _NOT_READY in f"{code} {detail}":
        return NotReady(detail)
    if _NOT_OWNER in f"{code} {detail}":
        return Incident(detail, reason="max_incident")
    if status == 429 or code == _LIMITED:
        return RateLimited(response.retry_at(PAUSE), detail, definitely_not_applied=bool(code))
    if status in (403, 404):
        return Denied("max_denied", detail)
    if status == 413:
        return Refused("too_large", detail)
    if 400 <= status < 500:
        return Refused("refused", detail)
    if status == 503 and "Retry-After" in response.headers:
        return RateLimited(response.retry_at(PAUSE), detail, definitely_not_applied=False)
    return Unavailable(detail if status < 300 else f"ошибка {status}: {detail}".removesuffix(": "))
