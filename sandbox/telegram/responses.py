"""What the Bot API says, in its own shapes: https://core.telegram.org/bots/api#available-types"""

from typing import Any

from flask import Response

from sandbox.emulator import answer
from sandbox.state import Token, Video
from sandbox.telegram.chats import Chat

ADMINISTRATOR = {
    "can_be_edited": False,
    "is_anonymous": False,
    "can_manage_chat": True,
    "can_delete_messages": True,
    "can_manage_video_chats": False,
    "can_restrict_members": False,
    "can_promote_members": False,
    "can_change_info": True,
    "can_invite_users": True,
    "can_post_stories": False,
    "can_edit_stories": False,
    "can_delete_stories": False,
}
GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")


class Refusal(Exception):
    """`{"ok": false, "error_code", "description", "parameters"?}`; the HTTP status is `code`."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def response(self) -> Response:
        said = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            said["parameters"] = self.parameters
        return answer(said, self.code, self.parameters.get("retry_after"))


def too_many(seconds: int) -> Refusal:
    return Refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def result(value: Any) -> Response:
    return answer({"ok": True, "result": value})


def user(bot: Token) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#user"""
    username = bot.facts["username"]
    return {"id": int(bot.account), "is_bot": True, "first_name": username, "username": username}


def chat(of: Chat) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#chat"""
    shown = {"id": of.id, "title": of.title, "username": of.username, "type": of.type}
    return {name: value for name, value in shown.items() if value is not None}


def full_chat(of: Chat) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#chatfullinfo"""
    return chat(of) | {
        "active_usernames": [of.username] if of.username else [],
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(GIFTS, True),
    }


def member(bot: Token, of: Chat) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#chatmember"""
    shown = {"user": user(bot), "status": of.status(bot)}
    if shown["status"] == "creator":
        return shown | {"is_anonymous": False}
    if shown["status"] != "administrator":
        return shown
    if of.type == "channel":
        shown |= dict.fromkeys(("can_post_messages", "can_edit_messages"), of.may_post(bot))
    return shown | ADMINISTRATOR


def message(of: Chat, video: Video) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#message"""
    shown = {
        "message_id": int(video.id),
        "sender_chat": chat(of),
        "chat": chat(of),
        "date": video.facts["date"],
        "video": {
            "duration": video.facts["duration"],
            "width": video.facts["width"],
            "height": video.facts["height"],
            "mime_type": "video/mp4",
            "file_id": video.facts["file_id"],
            "file_unique_id": video.facts["file_id"][-16:],
            "file_size": video.bytes,
        },
    }
    return shown | ({"caption": video.text} if video.text else {})
