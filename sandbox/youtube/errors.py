"""Google's errors: `{"error": {"code", "message", "errors": [{"domain", "reason", "message"}]}}`."""

from werkzeug.wrappers import Response

from sandbox.emulator import RETRY_AFTER, json_response, reason_phrase

QUOTA_DOMAIN = "youtube.quota"
VIDEO_DOMAIN = "youtube.video"

REASONS: dict[str, tuple[int, str]] = {
    "authError": (401, "global"),
    "youtubeSignupRequired": (401, "youtube.header"),
    "insufficientPermissions": (403, "global"),
    "forbidden": (403, "global"),
    "channelClosed": (403, "youtube.channel"),
    "channelSuspended": (403, "youtube.channel"),
    "authenticatedUserAccountClosed": (403, "youtube.common"),
    "authenticatedUserAccountSuspended": (403, "youtube.common"),
    "quotaExceeded": (403, QUOTA_DOMAIN),
    "dailyLimitExceeded": (403, "usageLimits"),
    "rateLimitExceeded": (403, "usageLimits"),
    "userRateLimitExceeded": (403, "usageLimits"),
    "notFound": (404, "global"),
    "videoNotFound": (404, "youtube.thumbnail"),
    "playlistNotFound": (404, "youtube.playlistItem"),
    "backendError": (503, "global"),
}
"""Those with another status than 400, and their domains."""

BY_STATUS = {
    401: "authError",
    403: "forbidden",
    404: "notFound",
    429: "rateLimitExceeded",
    500: "backendError",
    502: "backendError",
    503: "backendError",
    504: "backendError",
}


class GoogleError(Exception):
    """A refusal. `reason` decides status and domain, unless they are given."""

    def __init__(self, reason: str, message: str, *, status: int = 0, retry_after: int | None = None) -> None:
        super().__init__(message)
        known, self._domain = REASONS.get(reason, (400, VIDEO_DOMAIN))
        self._status, self._reason, self._message = status or known, reason, message
        self._retry_after = retry_after

    def response(self) -> Response:
        one = {"message": self._message, "domain": self._domain, "reason": self._reason}
        body = {"error": {"code": self._status, "message": self._message, "errors": [one]}}
        return json_response(body, self._status, self._retry_after)


def of_status(status: int, retry_after: int | None) -> Response:
    reason = BY_STATUS.get(status, "badRequest")
    pause = retry_after or (RETRY_AFTER if status == 429 else None)
    return GoogleError(reason, reason_phrase(status), status=status, retry_after=pause).response()
