"""The Bot API's methods: https://dev.max.ru/docs-api

Stricter than the vendor, which ignores them: unknown fields of a message and unknown query parameters.
"""

import re
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, json_response
from sandbox.max import bodies
from sandbox.max.chats import Channels, Chat, Message
from sandbox.max.errors import NOT_OWNER, ApiError
from sandbox.max.upload import TYPES, Upload
from sandbox.state import Token, Video

MAX_TEXT = 4000
MAX_ATTACHMENTS = 12
MAX_COUNT = 100
DEFAULT_COUNT = 50
MESSAGE_FIELDS = {"text", "attachments", "link", "notify", "format"}
PROCESSED = ("video", "audio", "file")
"""Types of which a file has to be processed before it can be attached."""

BOT_RATE = (30, 1.0)
CHANNEL_RATE = (2, 1.0)
"""Requests, and messages, per seconds."""

_NUMBER = re.compile(r"-?\d{1,19}")
_LINK = re.compile(r"@?[a-zA-Z]+[a-zA-Z0-9-_]*")


class Api:
    def __init__(self, emulator: Emulator, channels: Channels, upload: Upload) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._channels = channels
        self._upload = upload

    def add_routes(self, blueprint: Blueprint) -> None:
        for path, name, view, method in (
            ("/me", "me", self._me, "GET"),
            ("/chats/<chat>", "chat", self._chat, "GET"),
            ("/chats/<chat>/members/me", "member", self._member, "GET"),
            ("/uploads", "uploads", self._uploads, "POST"),
            ("/messages", "messages", self._messages, "GET"),
            ("/messages", "send", self._send, "POST"),
        ):
            blueprint.add_url_rule(f"/max{path}", name, self._guarded(view), methods=[method])

    def _guarded(self, view: Callable[..., Any]) -> Callable[..., Response]:
        def guarded(**path: str) -> Response:
            try:
                bot = self._authorize()
                self._limit((f"max bot {bot.account}", *BOT_RATE))
                return json_response(view(bot, **path))
            except ApiError as error:
                return error.response()

        return guarded

    def _authorize(self) -> Token:
        """The header holds the token and nothing else; in the query it is no longer taken."""
        if "access_token" in request.args:
            raise ApiError("verify.token", "Pass the token in the Authorization header")
        bot = self._emulator.find_token(request.headers.get("Authorization", ""))
        if bot is None or bot.revoked:
            raise ApiError("verify.token")
        return bot

    def _limit(self, *windows: tuple[str, int, float]) -> None:
        if self._emulator.rate_limited and self._state.rate_limits.hit(*windows):
            raise ApiError("too.many.requests")

    # Methods

    def _me(self, bot: Token) -> dict[str, Any]:
        _query()
        return bodies.bot_json(bot) | {"name": bot.facts["username"]}

    def _chat(self, bot: Token, chat: str) -> dict[str, Any]:
        _query()
        found = None
        if _NUMBER.fullmatch(chat):
            found = self._channels.find(chat)
            if found and found.link is None and bot.account not in found.members:
                found = None  # a private channel that the bot has never been in
        elif self._emulator.option("chat_links") and _LINK.fullmatch(chat):
            found = self._channels.find_by_link(chat)
            found = found if found and found.type == "channel" else None
        if found is None:
            raise ApiError("chat.not.found")
        newest = self._channels.newest_first(found)
        return bodies.chat_json(found, bot, newest[0].timestamp if newest else 0)

    def _member(self, bot: Token, chat: str) -> dict[str, Any]:
        _query()
        return bodies.member_json(self._joined(bot, chat), bot)

    def _uploads(self, bot: Token) -> dict[str, Any]:
        given = _query("type")
        if given.get("type") not in TYPES:
            raise ApiError("proto.payload", f"type: must be one of {', '.join(TYPES)}")
        return self._upload.begin(bot, given["type"])

    def _messages(self, bot: Token) -> dict[str, Any]:
        given = _query("chat_id", "message_ids", "from", "to", "count")
        count = _integer(given, "count", DEFAULT_COUNT)
        if not 1 <= count <= MAX_COUNT:
            raise ApiError("proto.payload", f"count: must be between 1 and {MAX_COUNT}")
        if ids := given.get("message_ids"):
            found = [one for mid in ids.split(",") if (one := self._channels.message(mid))]
            chats = {one.chat_id: self._joined(bot, str(one.chat_id)) for one in found}
            if "chat_id" in given:
                found = [one for one in found if str(one.chat_id) == given["chat_id"]]
        elif "chat_id" in given:
            chat = self._joined(bot, given["chat_id"])
            chats = {chat.id: chat}
            latest, earliest = _integer(given, "from", 1 << 62), _integer(given, "to", 0)
            found = [one for one in self._channels.newest_first(chat) if earliest <= one.timestamp <= latest]
        else:
            raise ApiError("proto.payload", "chat_id or message_ids is required")
        return {"messages": [self._message_json(one, chats[one.chat_id]) for one in found[:count]]}

    def _send(self, bot: Token) -> dict[str, Any]:
        given = _query("chat_id", "user_id", "disable_link_preview")
        body = _message_body()
        if "chat_id" not in given:
            raise ApiError("chat.not.found" if "user_id" in given else "proto.payload", "chat_id is required")
        chat = self._joined(bot, given["chat_id"])
        if not chat.may_write(bot):
            raise ApiError("chat.denied", "The bot has no right to write to this channel")
        with self._state.lock:
            uploads = [self._attached(bot, one) for one in body["attachments"]]
            self._limit((f"max channel {chat.id}", *CHANNEL_RATE))
            return {"message": self._message_json(self._post(chat, body, uploads), chat)}

    def _joined(self, bot: Token, number: str) -> Chat:
        if not _NUMBER.fullmatch(number):
            raise ApiError("proto.payload", "chat_id: must be a number")
        chat = self._channels.find(number)
        if chat is None or bot.account not in chat.members:
            raise ApiError("chat.not.found")
        if not chat.is_member(bot):
            raise ApiError("chat.denied", "The bot is not a member of this chat")
        return chat

    def _attached(self, bot: Token, attachment: dict[str, Any]) -> Video:
        """The upload that an attachment names. Raises ApiError."""
        kind, payload = attachment.get("type"), attachment.get("payload")
        token = payload.get("token") if isinstance(payload, dict) else None
        if kind not in TYPES or not isinstance(token, str) or set(attachment) != {"type", "payload"}:
            raise ApiError("proto.payload", "attachments: a type and a payload with a token are needed")
        upload = self._upload.find(token)
        if upload is None or upload.facts["type"] != kind:
            raise ApiError("proto.payload", "errors.process.attachment.not.found")
        if upload.facts["bot"] != bot.account or (kind == "video" and self._emulator.option("refuses_videos")):
            raise ApiError("proto.payload", NOT_OWNER)
        if upload.ready_at is None or (kind in PROCESSED and not upload.ready):
            raise ApiError("attachment.not.ready")
        return upload

    def _post(self, chat: Chat, body: dict[str, Any], uploads: list[Video]) -> Message:
        """The same token makes a post as often as it is sent. The first video is what the sandbox shows."""
        shown = [{"type": one.facts["type"], "token": one.facts["token"]} for one in uploads]
        message = self._channels.add(chat, body["text"], shown)
        video = next((one for one in uploads if one.facts["type"] == "video"), None)
        if video is not None:
            self._show(video, chat, message, body["notify"])
        return message

    def _show(self, video: Video, chat: Chat, message: Message, notify: bool) -> None:
        fields: dict[str, Any] = {
            "account": str(chat.id),
            "id": message.mid,
            "title": message.text.strip().partition("\n")[0].strip(),
            "text": message.text,
            "url": f"/max-web/{chat.link or chat.id}/{message.mid}",
        }
        if video.published:
            self._state.publish_copy(video, key=f"copy-{message.mid}", facts={"notify": notify}, **fields)
            message.post = f"copy-{message.mid}"
        else:
            for name, value in fields.items():
                setattr(video, name, value)
            video.facts["notify"] = notify
            self._state.publish(video)
            message.post = video.key
        self._channels.put(message)

    def _message_json(self, message: Message, chat: Chat) -> dict[str, Any]:
        post = self._state.videos.get(message.post) if message.post else None
        return bodies.message_json(message, chat, post)


def _query(*known: str) -> dict[str, str]:
    """The request's query. Raises ApiError for a parameter that the method does not have."""
    if unknown := set(request.args) - set(known):
        raise ApiError("proto.payload", f"{', '.join(sorted(unknown))}: unknown parameter")
    return request.args.to_dict()


def _integer(given: dict[str, str], name: str, default: int) -> int:
    if not re.fullmatch(r"-?\d{1,19}", given.get(name, "0")):
        raise ApiError("proto.payload", f"{name}: must be a number")
    return int(given.get(name, default))


def _message_body() -> dict[str, Any]:
    """With `text`, `attachments` and `notify` filled in. Raises ApiError."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise ApiError("proto.payload", "The body must be a JSON object")
    if unknown := set(body) - MESSAGE_FIELDS:
        raise ApiError("proto.payload", f"{', '.join(sorted(unknown))}: unknown field")
    text, attachments = body.get("text") or "", body.get("attachments") or []
    notify = body.get("notify", True)
    if not isinstance(text, str) or not isinstance(attachments, list) or not isinstance(notify, bool):
        raise ApiError("proto.payload", "a field is of the wrong type")
    if body.get("format") not in (None, "markdown", "html"):
        raise ApiError("proto.payload", "format: must be markdown or html")
    if len(text) > MAX_TEXT:
        raise ApiError("proto.payload", f"text: size must be between 0 and {MAX_TEXT}")
    if len(attachments) > MAX_ATTACHMENTS:
        raise ApiError("proto.payload", f"attachments: size must be between 0 and {MAX_ATTACHMENTS}")
    if not all(isinstance(one, dict) for one in attachments):
        raise ApiError("proto.payload", "attachments: objects are needed")
    if not text.strip() and not attachments:
        raise ApiError("proto.payload", "text or attachments are needed")
    return {"text": text, "attachments": attachments, "notify": notify}
