"""What the Bot API's responses mean: https://core.telegram.org/bots/api#making-requests"""

from typing import Any

from app.platforms.errors import AccountMoved, RateLimited, Reconnect, Refused, Unavailable
from app.platforms.http.response import Response, retry_at

PAUSE = 30  # seconds, where Telegram names none

# What a description has in it, and the reason; the first that fits.
_NO_RIGHTS = ("kicked", "not a member", "administrator rights", "no write access", "not enough rights")
REFUSALS = {
    **dict.fromkeys(_NO_RIGHTS, "telegram_rights"),
    **dict.fromkeys(("need administrator", "chat_admin_required", "chat_write_forbidden"), "telegram_rights"),
    "chat not found": "telegram_chat_gone",
    "caption is too long": "telegram_caption",
    "too large": "too_large",
    "too big": "too_large",
}


def result(response: Response, bot: str = "") -> Any:
    """The `result` of a response, or the error that it means."""
    payload = response.json()
    if not isinstance(payload, dict) or "ok" not in payload:
        if response.status == 413:
            raise Refused("too_large")
        response.raise_if_limited(PAUSE)
        raise Unavailable(f"ошибка {response.status}, не похоже на ответ Telegram")
    if payload["ok"] is True:
        return payload.get("result")
    code = payload.get("error_code")
    code = code if isinstance(code, int) else response.status
    description = str(payload.get("description", ""))
    parameters = payload.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    if code == 429:
        wait = parameters.get("retry_after", response.headers.get("Retry-After"))
        raise RateLimited(retry_at(wait, PAUSE), description)
    if code in (401, 404):
        raise Reconnect(description)
    if code == 413:
        raise Refused("too_large", description)
    if not 400 <= code < 500:
        # Its own 500 too may come after the clip was published: the Bot API server sends it for whatever fails inside.
        response.raise_if_limited(PAUSE, description)
        raise Unavailable(f"{code} {description}")
    if "migrate_to_chat_id" in parameters:
        raise AccountMoved({"chat_id": parameters["migrate_to_chat_id"]})
    reasons = (reason for mark, reason in REFUSALS.items() if mark in description.lower())
    raise Refused(next(reasons, "refused"), description, bot=bot)
