"""A post is looked for by its video's token, whatever a channel's messages look like."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from app.platforms.base import NotPublished, Receipt, Unknown
from app.platforms.max import posts

BEGAN = datetime(2026, 11, 28, 12, tzinfo=UTC)
CONTEXT = SimpleNamespace(
    started_at=BEGAN, token=None, account=SimpleNamespace(facts={"chat_id": -71000000000001}, url="https://max.ru/a")
)


class Channel:
    """Answers as `MaxApi` does, always with the same messages."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = messages

    def messages(self, _token: Any, **_page: Any) -> list[dict[str, Any]]:
        return list(self._messages)


def message(token: str, **more: Any) -> dict[str, Any]:
    video = {"type": "video", "payload": {"token": token}}
    return {"body": {"mid": f"mid.{token}", "text": "", "attachments": [video]}, **more}


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@pytest.mark.parametrize("dated", [{}, {"timestamp": None}, {"timestamp": str(ms(BEGAN))}])
@pytest.mark.parametrize("late", [timedelta(minutes=1), -timedelta(minutes=20)])
def test_ours_is_found_however_it_is_dated(dated, late):
    """Our clock may be ahead of MAX's, too."""
    found = posts.find(Channel(message("b", timestamp=ms(BEGAN + late)), message("a", **dated)), CONTEXT, "a", "Закат")
    assert isinstance(found, Receipt) and found.id == "mid.a"
    found = posts.find(Channel(message("a", timestamp=ms(BEGAN + late))), CONTEXT, "a", "Закат")
    assert isinstance(found, Receipt)


def test_messages_without_dates_do_not_tell_that_ours_is_missing():
    assert isinstance(posts.find(Channel(message("b")), CONTEXT, "a", "Закат"), Unknown)
    assert isinstance(posts.find(Channel(), CONTEXT, "a", "Закат"), NotPublished)
    old = message("b", timestamp=ms(BEGAN - timedelta(days=1)))
    assert isinstance(posts.find(Channel(old), CONTEXT, "a", "Закат"), NotPublished)
