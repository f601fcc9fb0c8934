"""Responses of the Bot API: https://core.telegram.org/bots/api#available-types"""

from typing import Any

from flask import Response

from sandbox.emulator import json_response
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


class ApiError(Exception):
    """An error response: `{"ok": false, "error_code", "description", "parameters"?}`; `code` is the HTTP status too."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def response(self) -> Response:
        body = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return json_response(body, self.code, self.parameters.get("retry_after"))


def too_many(seconds: int) -> ApiError:
    return ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def result(value: Any) -> Response:
    return json_response({"ok": True, "result": value})


def user_json(bot: Token) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#user"""
    username = bot.facts["username"]
    return {"id": int(bot.account), "is_bot": True, "first_name": username, "username": username}


def chat_json(chat: Chat) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#chat"""
    body = {"id": chat.id, "title": chat.title, "username": chat.username, "type": chat.type}
    return {name: value for name, value in body.items() if value is not None}


def full_chat_json(chat: Chat) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#chatfullinfo"""
    return chat_json(chat) | {
        "active_usernames": [chat.username] if chat.username else [],
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(GIFTS, True),
    }


def member_json(bot: Token, chat: Chat) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#chatmember"""
    body = {"user": user_json(bot), "status": chat.status(bot)}
    if body["status"] == "creator":
        return body | {"is_anonymous": False}
    if body["status"] != "administrator":
        return body
    if chat.type == "channel":
        body |= dict.fromkeys(("can_post_messages", "can_edit_messages"), chat.may_post(bot))
    return body | ADMINISTRATOR


def message_json(chat: Chat, video: Video) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#message"""
    body = {
        "message_id": int(video.id),
        "sender_chat": chat_json(chat),
        "chat": chat_json(chat),
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
    # Of a silent message only the recipients' phones know.
    protected = {"has_protected_content": True} if video.facts.get("protected") else {}
    return body | protected | ({"caption": video.text} if video.text else {})
