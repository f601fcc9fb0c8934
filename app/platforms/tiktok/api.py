"""TikTok's API on the wire, and what each error means: https://developers.tiktok.com/doc/tiktok-api-v2-error-handling"""

from collections.abc import Mapping
from typing import Any

from app.platforms.base import Token
from app.platforms.errors import PlatformError, RateLimited, Reconnect, Refused, TokenExpired, Unavailable
from app.platforms.http.client import Http, Window
from app.platforms.http.response import Response
from app.platforms.tiktok.reasons import CODES, reason_of

PAUSE = 60  # seconds, where TikTok names none: its limits are by the minute
# https://developers.tiktok.com/doc/tiktok-api-v2-video-query
IDS_PER_CALL = 20

USER, CREATOR = "user/info", "post/publish/creator_info/query"
INIT, INBOX_INIT, STATUS = "post/publish/video/init", "post/publish/inbox/video/init", "post/publish/status/fetch"
VIDEOS = "video/query"
# Calls a minute of one user's token.
_A_MINUTE = {USER: 600, CREATOR: 20, INIT: 6, INBOX_INIT: 6, STATUS: 30, VIDEOS: 600}

_RECONNECT = {"scope_not_authorized", "scope_permission_missed"}
# Longer numbers are ids, beyond what other languages' numbers hold: kept as text.
_LONGEST_NUMBER = 15


class TikTokApi:
    def __init__(self, url: str, http: Http) -> None:
        self._url, self._http = url, http

    def call(self, path: str, token: Token, body: Mapping[str, Any] | None = None, **kwargs: Any) -> Mapping[str, Any]:
        """The response's `data`. A GET where there is no `body`."""
        self._http.pace(Window(f"tiktok:{path}:{token.access}", _A_MINUTE[path], 60.0))
        response = self._http.request(
            "GET" if body is None else "POST",
            f"{self._url}/v2/{path}/",
            json=body,
            headers={"Authorization": f"Bearer {token.access}"},
            **kwargs,
        )
        return data_of(response)

    def creator(self, token: Token) -> Mapping[str, Any]:
        return self.call(CREATOR, token, {})

    def status(self, token: Token, publish_id: str) -> Mapping[str, Any]:
        return self.call(STATUS, token, {"publish_id": publish_id})

    def videos(self, token: Token, ids: list[str], fields: str) -> dict[str, Mapping[str, Any]]:
        """By id; without those that not everyone sees."""
        data = self.call(VIDEOS, token, {"filters": {"video_ids": ids}}, params={"fields": fields})
        videos = data.get("videos", [])
        if not isinstance(videos, list) or not all(isinstance(one, dict) for one in videos):
            raise Unavailable("в ответе TikTok нет списка")
        return {str(one.get("id")): one for one in videos}


def post_id(status: Mapping[str, Any]) -> str:
    """The number of the post; empty until TikTok has moderated it, and for a post that not everyone sees."""
    # TikTok spells it so.
    ids = status.get("publicaly_available_post_id") or status.get("publicly_available_post_id") or []
    first = next(iter(ids), "") if isinstance(ids, list) else ids
    return str(first) if isinstance(first, int | str) else ""


def _number(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits


def data_of(response: Response) -> Mapping[str, Any]:
    """Raises what an error means: it may come with any status."""
    payload = response.json(_number)
    error = payload.get("error") if isinstance(payload, dict) else None
    if isinstance(error, str):  # as the OAuth addresses write it
        error = {"code": error, "message": payload.get("error_description")}
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        response.raise_if_limited(PAUSE)
        raise Unavailable(f"ошибка {response.status}, не похоже на ответ TikTok")
    if error["code"] != "ok":
        raise _meaning(response, error["code"], str(error.get("message") or error["code"]))
    data = payload.get("data")
    if not 200 <= response.status < 300 or not isinstance(data, dict):
        raise Unavailable(f"ошибка {response.status}, в ответе TikTok нет данных")
    return data


def _meaning(response: Response, code: str, detail: str) -> PlatformError:
    status = response.status
    if status == 429 or code == "rate_limit_exceeded":
        return RateLimited(response.retry_at(PAUSE), detail)
    if code in _RECONNECT:
        return Reconnect(detail)
    if status == 401 or code == "access_token_invalid":
        return TokenExpired(detail)
    if status >= 500 or code == "internal_error":
        return Unavailable(f"ошибка {status}: {detail}")
    return Refused(reason_of(code, CODES, "refused"), detail)
