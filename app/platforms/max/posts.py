"""Messages of a channel as the API shows them, and the one among them that holds a video."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from app.platforms.base import NotPublished, PublishContext, Receipt, Unknown
from app.platforms.errors import Unavailable
from app.platforms.max.api import MOST_MESSAGES, MaxApi

Message = Mapping[str, Any]

# Pages of a channel that are read to find a post.
_PAGES = 20
_CLOCKS_DIFFER = timedelta(minutes=5)


def find(api: MaxApi, context: PublishContext, token: str, text: str) -> Receipt | NotPublished | Unknown:
    """By the video's token, among what is in the channel since the publication began.

    A post with the same text and a video of another token leaves it open: only people can tell.
    """
    since = (context.started_at - _CLOCKS_DIFFER).timestamp() * 1000
    page: dict[str, Any] = {"chat_id": context.account.facts["chat_id"], "count": MOST_MESSAGES}
    is_alike = False
    for _ in range(_PAGES):
        messages = api.messages(context.token, **page)
        # Whatever its date is: only one post has our token, and one of the clocks may be wrong.
        if ours := next((one for one in messages if token in _video_tokens(one)), None):
            return receipt(context, ours)
        if any(_timestamp(one) is None for one in messages):
            return Unknown()  # where the publication began cannot be seen
        recent = [one for one in messages if _timestamp(one) >= since]
        for message in recent:
            is_alike = is_alike or (bool(_video_tokens(message)) and _has_text(message, text))
        oldest = min(map(_timestamp, recent), default=0)
        if (
            len(recent) < len(messages)
            or not messages
            or (oldest == page.get("from") and len(messages) < MOST_MESSAGES)
        ):
            return Unknown() if is_alike else NotPublished()
        page["from"] = oldest  # the next page has this message too
    return Unknown()


def receipt(context: PublishContext, message: Message) -> Receipt:
    """Posts of a private channel have no link of their own."""
    number = mid(message)
    if not number:
        raise Unavailable("в ответе MAX нет номера сообщения")
    return Receipt(number, web_link(message.get("url")) or context.account.url)


def mid(message: Message) -> str:
    number = _body(message).get("mid")
    return number if isinstance(number, str) else ""


def web_link(url: Any) -> str | None:
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else None


def _body(message: Message) -> Mapping[str, Any]:
    body = message.get("body")  # null for a message that only forwards another
    return body if isinstance(body, dict) else {}


def _timestamp(message: Message) -> int | None:
    """Milliseconds; None where it has none."""
    at = message.get("timestamp")
    return at if type(at) is int else None


def _video_tokens(message: Message) -> list[Any]:
    attachments = _body(message).get("attachments") or []
    videos = (one for one in attachments if isinstance(one, dict) and one.get("type") == "video")
    return [payload.get("token") for one in videos if isinstance(payload := one.get("payload"), dict)]


def _has_text(message: Message, text: str) -> bool:
    return str(_body(message).get("text") or "").split() == text.split()
