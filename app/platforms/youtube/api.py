"""The YouTube Data API on the wire, and what each error means (https://developers.google.com/youtube/v3/docs/errors)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app import clock
from app.platforms.base import Token
from app.platforms.errors import PlatformError, QuotaSpent, RateLimited, Reconnect, Refused, TokenExpired, Unavailable
from app.platforms.http.client import Http
from app.platforms.http.response import Response
from app.platforms.quota import DailyQuota

PAUSE = 30  # seconds, where YouTube names none
# https://developers.google.com/youtube/v3/docs/videos/list#id
IDS_PER_CALL = 50

_LIMITED = {"rateLimitExceeded", "userRateLimitExceeded"}
_QUOTA = {"quotaExceeded", "dailyLimitExceeded"}
_RECONNECT = {"insufficientPermissions"}
REASONS = {
    "youtubeSignupRequired": "youtube_no_channel",
    "forbidden": "youtube_forbidden",
    **dict.fromkeys(
        (
            *("channelClosed", "channelSuspended"),
            *("authenticatedUserAccountClosed", "authenticatedUserAccountSuspended"),
        ),
        "youtube_channel_closed",
    ),
    "invalidTitle": "youtube_title",
    "invalidDescription": "youtube_description",
    "invalidTags": "youtube_tags",
    "invalidCategoryId": "youtube_category",
    "uploadLimitExceeded": "youtube_upload_limit",
}


class YouTubeApi:
    def __init__(self, url: str, http: Http, quota: DailyQuota) -> None:
        self._url, self._http, self._quota = url, http, quota

    def list(self, resource: str, token: Token, **params: Any) -> Sequence[Mapping[str, Any]]:
        """The items of a list; a response without one does not mean that there is nothing."""
        response = self._http.request(
            "GET", f"{self._url}/youtube/v3/{resource}", params=params, headers=self.authorization(token)
        )
        payload = self.payload(response)
        items = payload.get("items", [] if str(payload.get("kind", "")).endswith("ListResponse") else None)
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise Unavailable("в ответе YouTube нет списка")
        return items

    def upload(self, path: str, token: Token, *, headers: Mapping[str, str] | None = None, **kwargs: Any) -> Response:
        return self._http.request(
            "POST",
            f"{self._url}/upload/youtube/v3/{path}",
            headers={**self.authorization(token), **(headers or {})},
            **kwargs,
        )

    @staticmethod
    def authorization(token: Token) -> dict[str, str]:
        return {"Authorization": f"Bearer {token.access}"}

    def payload(self, response: Response) -> Mapping[str, Any]:
        """Raises what an error means."""
        if error := self.error(response):
            raise error
        payload = response.json()
        if not 200 <= response.status < 300 or not isinstance(payload, dict):
            raise Unavailable(f"ошибка {response.status}, не похоже на ответ YouTube")
        return payload

    def error(self, response: Response) -> PlatformError | None:
        """What a response in Google's own shape of an error means; None where it is none."""
        payload = response.json()
        error = payload.get("error") if isinstance(payload, dict) else None
        if not isinstance(error, dict):
            response.raise_if_limited(PAUSE)
            return None
        first = next((one for one in error.get("errors") or [] if isinstance(one, dict)), {})
        reason, detail = str(first.get("reason", "")), str(error.get("message") or first.get("reason") or "")
        return self._meaning(response, reason, detail)

    def _meaning(self, response: Response, reason: str, detail: str) -> PlatformError:
        status = response.status
        if reason in _QUOTA:
            return QuotaSpent(self.quota_ends_at(), detail)
        if reason in _LIMITED or status == 429:
            return RateLimited(response.retry_at(PAUSE), detail)
        if reason in REASONS:
            return Refused(REASONS[reason], detail)
        if reason in _RECONNECT:
            return Reconnect(detail)
        if status == 401:
            return TokenExpired(detail)
        if status >= 500:
            return Unavailable(f"ошибка {status}: {detail}".removesuffix(": "))
        return Refused("refused", detail)

    def quota_ends_at(self) -> datetime:
        return self._quota.ends_at(clock.now())
