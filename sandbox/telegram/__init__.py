"""Telegram: the Bot API below /telegram, t.me below /telegram-web. Written from platforms/telegram.md."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify

from sandbox.commands import BadOrder, posted, required
from sandbox.emulator import RETRY_AFTER, Emulator, phrase
from sandbox.state import Token, Video, World
from sandbox.telegram.bot_api import BotApi
from sandbox.telegram.chats import Chat, Chats
from sandbox.telegram.responses import Refusal, too_many
from sandbox.telegram.web import Web

DEMO_TOKEN = "110201543:AAdemo-demo-demo-demo-demo-demo-demo"

DESCRIPTIONS = {400: "Bad Request: chat not found", 403: "Forbidden: bot was kicked from the channel chat"}
"""What a bare error code says where trouble asks for it; others say HTTP's own phrase."""

CHAT_FIELDS = {"id", "title", "username", "type", "rights", "migrate_to"}


class Telegram(Emulator):
    key = "telegram"
    name = "Telegram"
    prefixes = ("telegram", "telegram-web")
    publishing = r"(?i)/telegram/bot[^/]+/sendVideo"
    uploading = publishing
    options: ClassVar = {"telegram_rate_limits": True, "telegram_max_mb": 2000}

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._chats = Chats(world)
        self._bot_api = BotApi(self, self._chats)
        self._web = Web(self._chats)

    def seed(self) -> None:
        self.add_token({"token": DEMO_TOKEN, "username": "vezde_demo_bot"})
        bot = DEMO_TOKEN.partition(":")[0]
        admin = {"status": "administrator", "can_post_messages": True}
        self._chats.keep(Chat(-1001000000001, "Везде — демо", "vezde_demo", rights={bot: admin}))
        self._chats.keep(Chat(-1001000000002, "Только читать", "vezde_readonly"))

    def place(self, video: Video) -> str:
        chat = self._chats.find(video.account)
        return (f"@{chat.username}" if chat.username else chat.title) if chat else video.account

    def redact(self, path: str) -> str:
        return re.sub(r"^(/telegram/(?:file/)?bot)[^/]+", r"\1<TOKEN>", path)

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("telegram", __name__)
        self._bot_api.add_routes(blueprint)
        self._web.add_routes(blueprint)
        blueprint.add_url_rule("/control/chats", view_func=self._add_chat, methods=["POST"])
        return blueprint

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        if status == 429:
            return too_many(retry_after or RETRY_AFTER).response()
        return Refusal(status, phrase(status)).response()

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """`403`, `403 Forbidden: bot was kicked…`, or the text of a 400: `CHAT_ADMIN_REQUIRED`."""
        parsed = re.fullmatch(r"(\d{3})(?: (.+))?", code)
        if parsed is None:
            return Refusal(400, f"Bad Request: {code}").response()
        status, description = int(parsed[1]), parsed[2]
        if description or status in DESCRIPTIONS:
            return Refusal(status, description or DESCRIPTIONS[status]).response()
        return self.status(path, status, retry_after)

    # Control

    def add_token(self, order: Mapping[str, Any]) -> None:
        """`token, username`: the bot's id is the number before the colon."""
        token = required(order, "token")
        if not re.fullmatch(r"\d+:[\w-]+", token):
            raise BadOrder("a bot's token is <number>:<letters>")
        bot = token.partition(":")[0]
        self.keep_token(Token(self.key, token, bot, facts={"username": required(order, "username")}))

    def expire(self, order: Mapping[str, Any]) -> None:
        raise BadOrder("a bot's token does not expire; revoke it")

    def rights(self, order: Mapping[str, Any]) -> None:
        """`status` and `can_post_messages` of a bot (`token`; all bots without one) in a chat (`account`)."""
        chat = self._chats.find(str(required(order, "account")))
        if chat is None:
            raise BadOrder(f"there is no chat {order['account']}")
        changes = {name: order[name] for name in ("status", "can_post_messages") if name in order}
        if not changes:
            raise BadOrder("status or can_post_messages is needed")
        for bot in self.tokens_of({"token": order["token"]}) if "token" in order else self.known_tokens():
            chat.rights[bot.account] = chat.rights.get(bot.account, {"status": "administrator"}) | changes
        self._chats.keep(chat)

    def _add_chat(self) -> Response:
        """`id, title, username?, rights, type?, migrate_to?`. A known chat keeps its messages."""
        order = posted()
        if set(order) - CHAT_FIELDS or not isinstance(order.get("id"), int):
            raise BadOrder(f"a chat has {', '.join(sorted(CHAT_FIELDS))}, and its id is a number")
        required(order, "title")
        with self.world.lock:
            chat = Chat(**order)
            chat.username = (chat.username or "").removeprefix("@") or None
            before = self._chats.find(str(chat.id))
            chat.last_message_id = before.last_message_id if before else 0
            self._chats.keep(chat)
        return jsonify(ok=True)
