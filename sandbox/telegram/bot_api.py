"""The Bot API's methods: https://core.telegram.org/bots/api#available-methods

Error texts and the order of checks are those of the vendor's server,
https://github.com/tdlib/telegram-bot-api (Client.cpp). Stricter than the vendor, which ignores them: a width, height
or duration that is not a number; a Boolean that is not true or false; a thumbnail that is not a JPEG, or too large.
"""

import hashlib
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, request

from sandbox import jpeg
from sandbox.emulator import Emulator
from sandbox.multipart import BadMultipart, Part, parts
from sandbox.state import Token, Video
from sandbox.telegram import responses
from sandbox.telegram.chats import Chat, Chats
from sandbox.telegram.dialog_api import DialogApi
from sandbox.telegram.dialogs import Dialogs
from sandbox.telegram.responses import ApiError, too_many

HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
"""All are routed, so that unsupported ones get an error in the Bot API's format."""

MAX_CAPTION = 1024
"""Characters. https://core.telegram.org/bots/api#sendvideo"""
MAX_THUMBNAIL_BYTES = 200_000
MAX_THUMBNAIL_SIDE = 320
"""Pixels. https://core.telegram.org/bots/api#sendvideo"""
MAX_PICTURE_BYTES = 10_000_000
"""https://core.telegram.org/bots/api#sending-files"""

CHAT_RATE = (1, 1.0)
GROUP_RATE = (20, 60.0)
BOT_RATE = (30, 1.0)
"""Messages per seconds. https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this"""


@dataclass
class Call:
    """A method's parameters. The video is in a draft, pictures are in memory."""

    bot: Token
    fields: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    video: Video | None = None
    pictures_first: bool | None = None  # None without any


class BotApi:
    def __init__(self, emulator: Emulator, chats: Chats, dialogs: Dialogs) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._chats = chats
        self._methods: dict[str, Callable[[Call], Any]] = {
            "getme": self._get_me,
            "getchat": self._get_chat,
            "getchatmember": self._get_chat_member,
            "sendvideo": self._send_video,
            "deletemessage": self._delete_message,
        }
        for name, method in DialogApi(dialogs).methods.items():
            self._methods[name] = lambda call, method=method: method(call.bot, call.fields)

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule(
            "/telegram/<path:path>", None, self._respond, methods=HTTP_METHODS, provide_automatic_options=False
        )

    def _respond(self, path: str) -> Response:
        try:
            return responses.result(self._result(path))
        except ApiError as error:
            return error.response()

    def _result(self, path: str) -> Any:
        if request.method not in ("GET", "POST"):
            raise ApiError(405, "Method Not Allowed")
        parsed = re.fullmatch(r"bot(\d+:[\w-]+)/(\w+)", path)
        if parsed is None:
            raise ApiError(404, "Not Found")
        bot = self._emulator.find_token(parsed[1])
        if bot is None or bot.revoked:
            raise ApiError(401, "Unauthorized")
        method = self._methods.get(parsed[2].lower())  # the vendor ignores case too
        if method is None:
            raise ApiError(404, "Not Found: method not found")
        call = Call(bot)
        try:
            self._read(call)
            return method(call)
        except ApiError:
            if call.video is not None:
                self._state.discard(call.video)
            raise

    # Parameters: https://core.telegram.org/bots/api#making-requests

    def _read(self, call: Call) -> None:
        call.fields |= request.args.to_dict()
        if request.mimetype == "multipart/form-data":
            try:
                for part in parts(request.environ["wsgi.input"], request.content_type):
                    self._read_part(call, part)
            except BadMultipart as error:
                raise ApiError(400, f"Bad Request: {error}") from error
        elif request.mimetype == "application/json":
            body = request.get_json(silent=True)
            if not isinstance(body, dict):
                raise ApiError(400, "Bad Request: can't parse request body as JSON object")
            call.fields |= {name: _plain(value) for name, value in body.items()}
        else:
            call.fields |= request.form.to_dict()

    def _read_part(self, call: Call, part: Part) -> None:
        if part.filename is None:
            call.fields[part.name] = part.text()
        elif part.name == "video" or call.fields.get("video") == f"attach://{part.name}":
            self._read_video(call, part)
        else:
            call.pictures_first = call.video is None
            try:
                call.pictures[part.name] = part.bytes(MAX_PICTURE_BYTES)
            except BadMultipart as error:
                raise ApiError(413, "Request Entity Too Large") from error

    def _read_video(self, call: Call, part: Part) -> None:
        """Writes the file into a draft, which stays after an interruption. Chat and title are from earlier fields."""
        chat = self._chats.find(call.fields.get("chat_id", ""))
        caption = call.fields.get("caption", "")
        call.video = self._state.begin(
            "telegram", str(chat.id) if chat else "", text=caption, title=_first_line(caption)
        )
        limit = int(self._emulator.option("max_mb") * 1_000_000)
        with self._state.receive(call.video) as receiver:
            for block in part.blocks:
                if call.video.bytes + len(block) > limit:
                    raise ApiError(413, "Request Entity Too Large")
                receiver.write(block)

    # Methods

    def _get_me(self, call: Call) -> dict[str, Any]:
        unsupported = ("can_join_groups", "can_read_all_group_messages", "supports_inline_queries")
        return responses.user_json(call.bot) | dict.fromkeys(unsupported, False)

    def _get_chat(self, call: Call) -> dict[str, Any]:
        chat = self._chat(call)
        _check_not_kicked(chat, call.bot)
        if chat.username is None and chat.status(call.bot) == "left":
            raise ApiError(403, f"Forbidden: bot is not a member of the {chat.type} chat")
        return responses.full_chat_json(chat)

    def _get_chat_member(self, call: Call) -> dict[str, Any]:
        chat = self._chat(call)
        if not call.fields.get("user_id", "").isdigit():
            raise ApiError(400, "Bad Request: invalid user_id specified")
        _check_not_kicked(chat, call.bot)
        if chat.status(call.bot) == "left":
            raise ApiError(400, "Bad Request: member list is inaccessible")
        if call.fields["user_id"] != call.bot.account:
            raise ApiError(400, "Bad Request: user not found")
        return responses.member_json(call.bot, chat)

    def _send_video(self, call: Call) -> dict[str, Any]:
        video = _checked_video(call)
        _check_pictures(call, self._emulator.option("takes_covers"))
        chat = self._chat(call)
        _check_posting(chat, call.bot)
        caption = call.fields.get("caption", "")
        if call.fields.get("parse_mode"):
            raise ApiError(400, "Bad Request: unsupported parse_mode")
        if len(caption) > MAX_CAPTION:
            raise ApiError(400, "Bad Request: message caption is too long")
        facts = _video_facts(call.fields) | {
            "silent": _flag(call.fields, "disable_notification"),
            "protected": _flag(call.fields, "protect_content"),
        }
        pictures = {name: _picture(call, name) for name in ("cover", "thumbnail")}
        facts["pictures_first"] = call.pictures_first
        facts |= {name: data and hashlib.sha256(data).hexdigest() for name, data in pictures.items()}
        with self._state.lock:
            self._check_flood(chat, call.bot)
            chat.last_message_id += 1
            self._chats.save(chat)
            video.account = str(chat.id)
            video.id = str(chat.last_message_id)
            video.text = caption
            video.title = _first_line(caption)
            video.url = f"/telegram-web/{chat.path}/{video.id}"
            video.facts = facts | {
                "file_id": "BAACAgIAAxkB" + uuid.uuid4().hex,
                "date": int(time.time()),
            }
            self._state.publish(video)
        return responses.message_json(chat, video)

    def _delete_message(self, call: Call) -> bool:
        chat = self._chat(call)
        _check_posting(chat, call.bot)
        video = self._chats.post(chat, call.fields.get("message_id", ""))
        if video is None:
            raise ApiError(400, "Bad Request: message to delete not found")
        self._state.discard(video)
        return True

    # Shared

    def _chat(self, call: Call) -> Chat:
        if not call.fields.get("chat_id"):
            raise ApiError(400, "Bad Request: chat_id is empty")
        chat = self._chats.find(call.fields["chat_id"])
        # A bot has no access to a private chat that it never joined.
        if chat is None or (chat.username is None and call.bot.account not in chat.rights):
            raise ApiError(400, "Bad Request: chat not found")
        if chat.migrate_to is not None:
            raise ApiError(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=chat.migrate_to,
            )
        return chat

    def _check_flood(self, chat: Chat, bot: Token) -> None:
        if not self._emulator.rate_limited:
            return
        windows = [(f"telegram chat {chat.id}", *CHAT_RATE), (f"telegram bot {bot.account}", *BOT_RATE)]
        if chat.type != "channel":
            windows.append((f"telegram group {chat.id}", *GROUP_RATE))
        seconds = self._state.rate_limits.hit(*windows)
        if seconds:
            raise too_many(seconds)


def _checked_video(call: Call) -> Video:
    if call.video is not None:
        if call.video.bytes == 0:
            raise ApiError(400, "Bad Request: file must be non-empty")
        return call.video
    value = call.fields.get("video", "")
    if not value:
        raise ApiError(400, "Bad Request: there is no video in the request")
    if re.match(r"https?://", value):
        raise ApiError(400, "Bad Request: failed to get HTTP URL content")
    raise ApiError(400, "Bad Request: wrong file identifier/HTTP URL specified")


def _check_pictures(call: Call, takes_covers: bool) -> None:
    cover = _picture(call, "cover")
    if cover is not None and (not takes_covers or jpeg.size(cover) is None):
        raise ApiError(400, "Bad Request: IMAGE_PROCESS_FAILED")
    thumbnail = _picture(call, "thumbnail")
    if thumbnail is None:
        return
    size = jpeg.size(thumbnail)
    if size is None:
        raise ApiError(400, "Bad Request: IMAGE_PROCESS_FAILED")
    if max(size) > MAX_THUMBNAIL_SIDE:
        raise ApiError(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
    if len(thumbnail) >= MAX_THUMBNAIL_BYTES:
        raise ApiError(400, "Bad Request: file is too big")


def _picture(call: Call, name: str) -> bytes | None:
    """Returns the file of the part `name`, or of the part in `attach://<part>`."""
    attached = call.fields.get(name, "").removeprefix("attach://")
    return call.pictures.get(name, call.pictures.get(attached))


def _check_posting(chat: Chat, bot: Token) -> None:
    _check_not_kicked(chat, bot)
    if chat.status(bot) == "left":
        raise ApiError(403, f"Forbidden: bot is not a member of the {chat.type} chat")
    if chat.may_post(bot):
        return
    if chat.type == "channel":
        raise ApiError(400, "Bad Request: need administrator rights in the channel chat")
    raise ApiError(400, "Bad Request: not enough rights to send videos to the chat")


def _check_not_kicked(chat: Chat, bot: Token) -> None:
    if chat.status(bot) == "kicked":
        raise ApiError(403, f"Forbidden: bot was kicked from the {chat.type} chat")


def _video_facts(fields: Mapping[str, str]) -> dict[str, int]:
    facts = {}
    for name in ("width", "height", "duration"):
        text = fields.get(name) or "0"
        if not text.isdigit():
            raise ApiError(400, f"Bad Request: invalid {name} specified")
        facts[name] = int(text)
    return facts


def _flag(fields: Mapping[str, str], name: str) -> bool:
    text = fields.get(name, "").lower()
    if text not in ("", "true", "false"):
        raise ApiError(400, f"Bad Request: invalid {name} specified")
    return text == "true"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()
