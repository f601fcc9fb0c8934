"""What a user decides for each clip, and what VK reads in its text."""

from collections.abc import Mapping
from typing import Any

from app.platforms.base import TextMark
from app.platforms.options import Checkbox

WALL_POST = "wallpost"
NO_COMMENTS = "no_comments"
OPTIONS = (
    Checkbox(name=WALL_POST, label="Запись на стене", default=True, remembered=True),
    Checkbox(name=NO_COMMENTS, label="Отключить комментарии", remembered=True),
)

# [club1|text], @name, *id1 (text): whom VK then notifies. An address of e-mail is none.
MENTIONS = TextMark(
    r"\[[A-Za-z][A-Za-z0-9_.]*\|[^\]\n]+\]|(?:^|[^A-Za-z0-9_@*.])([@*][A-Za-z][A-Za-z0-9_.]*[A-Za-z0-9_])",
    "VK сделает из этого упоминание, и упомянутые получат уведомление:",
)

# https://dev.vk.com/ru/reference/objects/privacy
NOBODY = "nobody"


def comments_of_clip(options: Mapping[str, Any]) -> dict[str, Any]:
    """For `shortVideo.edit`, as VK's own site and several clients send it."""
    return {"privacy_comment": NOBODY} if options[NO_COMMENTS] else {}


def comments_of_video(options: Mapping[str, Any], of_community: bool) -> dict[str, Any]:
    """For `video.save`, which has one parameter for communities and one for people:
    https://dev.vk.com/ru/method/video.save
    """
    if not options[NO_COMMENTS]:
        return {}
    return {"no_comments": 1} if of_community else {"privacy_comment": NOBODY}


def comments_of_post(options: Mapping[str, Any]) -> dict[str, Any]:
    """For `wall.post`."""
    return {"close_comments": 1} if options[NO_COMMENTS] else {}
