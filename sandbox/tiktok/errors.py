"""TikTok's errors: `{"data": {}, "error": {"code", "message", "log_id"}}`, and flat ones at the OAuth addresses."""

import secrets

from werkzeug.wrappers import Response

from sandbox.emulator import json_response, reason_phrase

STATUSES = {
    "access_token_invalid": 401,
    "scope_not_authorized": 401,
    "scope_permission_missed": 401,
    "spam_risk": 403,
    "spam_risk_too_many_posts": 403,
    "spam_risk_too_many_pending_share": 403,
    "spam_risk_user_banned_from_posting": 403,
    "spam_risk_text": 403,
    "reached_active_user_cap": 403,
    "privacy_level_option_mismatch": 403,
    "app_version_check_failed": 403,
    "unaudited_client_can_only_post_to_private_accounts": 403,
    "url_ownership_unverified": 403,
    "rate_limit_exceeded": 429,
    "internal_error": 500,
}
"""Those with another status than 400: https://developers.tiktok.com/doc/content-posting-api-reference-direct-post"""

CODES = {
    401: "access_token_invalid",
    403: "spam_risk",
    404: "unsupported_path",
    405: "method_not_allowed",
    429: "rate_limit_exceeded",
}


class TikTokError(Exception):
    """A refusal. `code` decides the status, unless it is given."""

    def __init__(self, code: str, message: str, *, status: int = 0, retry_after: int | None = None) -> None:
        super().__init__(message)
        self._code, self._message = code, message
        self._status = status or STATUSES.get(code, 400)
        self._retry_after = retry_after

    def response(self) -> Response:
        return json_response(envelope({}, self._code, self._message), self._status, self._retry_after)


def envelope(data: dict, code: str = "ok", message: str = "") -> dict:
    return {"data": data, "error": {"code": code, "message": message, "log_id": log_id()}}


def log_id() -> str:
    return secrets.token_hex(16).upper()


def of_status(status: int, retry_after: int | None) -> Response:
    code = CODES.get(status, "internal_error" if status >= 500 else "invalid_params")
    return TikTokError(code, reason_phrase(status), status=status, retry_after=retry_after).response()


def oauth_error(error: str, description: str, status: int = 400, retry_after: int | None = None) -> Response:
    body = {"error": error, "error_description": description, "log_id": log_id()}
    return json_response(body, status, retry_after)
