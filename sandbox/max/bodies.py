"""Objects of the Bot API: https://dev.max.ru/docs-api"""

import time
from typing import Any

from sandbox.emulator import avatar_url, external_url
from sandbox.max.chats import Chat, Message
from sandbox.state import Token, Video


def bot_json(bot: Token) -> dict[str, Any]:
    name = bot.facts["username"]
    return {
        "user_id": int(bot.account),
        "first_name": name,
        "last_name": None,
        "username": name,
        "is_bot": True,
        "last_activity_time": int(time.time() * 1000),
        "avatar_url": avatar_url(name),
    }


def chat_json(chat: Chat, bot: Token, last_event_time: int) -> dict[str, Any]:
    return {
        "chat_id": chat.id,
        "type": chat.type,
        "status": chat.status(bot),
        "title": chat.title,
        "icon": {"url": avatar_url(chat.title)},
        "last_event_time": last_event_time,
        "participants_count": 1 + len(chat.members),
        "is_public": chat.link is not None,
        "link": external_url(f"/max-web/{chat.link}") if chat.link else None,
        "description": None,
    }


def member_json(chat: Chat, bot: Token) -> dict[str, Any]:
    now, permissions = int(time.time() * 1000), chat.permissions(bot)
    return bot_json(bot) | {
        "last_access_time": now,
        "join_time": now,
        "is_owner": bool(chat.members[bot.account].get("is_owner")),
        "is_admin": permissions is not None,
        "permissions": permissions,
        "alias": None,
    }


def message_json(message: Message, chat: Chat, post: Video | None) -> dict[str, Any]:
    """Posts of a channel have no sender. `post`: the clip that the message shows."""
    body = {
        "recipient": {"chat_id": chat.id, "chat_type": chat.type, "user_id": None},
        "timestamp": message.timestamp,
        "body": {
            "mid": message.mid,
            "seq": message.seq,
            "text": message.text,
            "attachments": [_attachment(one) for one in message.attachments],
        },
        "url": external_url(f"/max-web/{chat.link}/{message.mid}") if chat.link else None,
    }
    views = post.views if post else 0
    return body | ({"stat": {"views": views}} if chat.type == "channel" and views is not None else {})


def _attachment(one: dict[str, str]) -> dict[str, Any]:
    payload: dict[str, Any] = {"token": one["token"], "url": external_url(f"/max-web/media/{one['token'][:8]}")}
    if one["type"] == "image":
        payload["photo_id"] = sum(one["token"].encode())
    shown = {"type": one["type"], "payload": payload}
    return shown | {"filename": "file", "size": 0} if one["type"] == "file" else shown
