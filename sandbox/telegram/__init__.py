"""Telegram: the Bot API at /telegram, t.me at /telegram-web. From platforms/telegram.md."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from flask import Blueprint, Response, jsonify

from sandbox.commands import BadCommand, parse_command, required
from sandbox.emulator import RETRY_AFTER, Emulator, reason_phrase
from sandbox.state import State, Token, Video
from sandbox.telegram.bot_api import BotApi
from sandbox.telegram.chats import Chat, Chats
from sandbox.telegram.dialogs import PERSON, PERSON_NAME, Dialogs
from sandbox.telegram.responses import ApiError, too_many
from sandbox.telegram.web import Web

DEMO_TOKEN = "110201543:AAdemo-demo-demo-demo-demo-demo-demo"
NOTIFY_TOKEN = "220301544:AAdemo-notify-demo-notify-demo-notify"
"""Of the bot that asks a person to decide. No channel has it."""

DESCRIPTIONS = {400: "Bad Request: chat not found", 403: "Forbidden: bot was kicked from the channel chat"}
"""Texts of the error codes in fault rules; others have the HTTP reason phrase."""

CHAT_FIELDS = {"id", "title", "username", "type", "rights", "migrate_to"}


class Telegram(Emulator):
    key = "telegram"
    name = "Telegram"
    prefixes = ("telegram", "telegram-web")
    publishing = r"(?i)/telegram/bot[^/]+/sendVideo"
    uploading = publishing
    options: ClassVar = {"telegram_rate_limits": True, "telegram_max_mb": 2000, "telegram_takes_covers": True}

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._chats = Chats(state)
        self._dialogs = Dialogs(state)
        self._bot_api = BotApi(self, self._chats, self._dialogs)
        self._web = Web(self._chats, self._dialogs, self._find_bot)
        state.seed("telegram notify bot", self._seed_notify_bot)  # installations of before have the other seed

    def seed(self) -> None:
        self.add_token({"token": DEMO_TOKEN, "username": "vezde_demo_bot"})
        bot = DEMO_TOKEN.partition(":")[0]
        admin = {"status": "administrator", "can_post_messages": True}
        self._chats.save(Chat(-1001000000001, "Везде — демо", "vezde_demo", rights={bot: admin}))
        self._chats.save(Chat(-1001000000002, "Только читать", "vezde_readonly"))

    def _seed_notify_bot(self) -> None:
        self.add_token({"token": NOTIFY_TOKEN, "username": "vezde_notify_bot"})

    def account_label(self, video: Video) -> str:
        chat = self._chats.find(video.account)
        return (f"@{chat.username}" if chat.username else chat.title) if chat else video.account

    def shown_facts(self, video: Video) -> dict[str, Any]:
        """Of pictures the SHA-256, and whether they came before the video."""
        flags = {name: video.facts.get(name, False) for name in ("silent", "protected")}
        return flags | {name: video.facts.get(name) for name in ("cover", "thumbnail", "pictures_first")}

    def notes(self, video: Video) -> list[str]:
        words = {"silent": "без звука", "protected": "пересылать и сохранять нельзя"}
        return [word for name, word in words.items() if video.facts.get(name)]

    def redact(self, path: str) -> str:
        return re.sub(r"^(/telegram/(?:file/)?bot)[^/]+", r"\1<TOKEN>", path)

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("telegram", __name__)
        self._bot_api.add_routes(blueprint)
        self._web.add_routes(blueprint)
        blueprint.add_url_rule("/control/chats", view_func=self._add_chat, methods=["POST"])
        blueprint.add_url_rule("/control/dialogs", view_func=self._act_in_dialog, methods=["POST"])
        return blueprint

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        if status == 429:
            return too_many(retry_after or RETRY_AFTER).response()
        return ApiError(status, reason_phrase(status)).response()

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """`403`, `403 Forbidden: bot was kicked…`, or the text of a 400: `CHAT_ADMIN_REQUIRED`."""
        parsed = re.fullmatch(r"(\d{3})(?: (.+))?", code)
        if parsed is None:
            return ApiError(400, f"Bad Request: {code}").response()
        status, description = int(parsed[1]), parsed[2]
        if description or status in DESCRIPTIONS:
            return ApiError(status, description or DESCRIPTIONS[status]).response()
        return self.status(path, status, retry_after)

    # Control

    def add_token(self, command: Mapping[str, Any]) -> None:
        """`command`: `token, username`. The bot's id is the number before the colon."""
        token = required(command, "token")
        if not re.fullmatch(r"\d+:[\w-]+", token):
            raise BadCommand("a bot's token is <number>:<letters>")
        bot = token.partition(":")[0]
        self.save_token(Token(self.key, token, bot, facts={"username": required(command, "username")}))

    def _find_bot(self, username: str) -> Token | None:
        return next((one for one in self.list_tokens() if one.facts["username"].lower() == username.lower()), None)

    def expire(self, command: Mapping[str, Any]) -> None:
        raise BadCommand("a bot's token does not expire; revoke it")

    def rights(self, command: Mapping[str, Any]) -> None:
        """Sets `status` and `can_post_messages` of a bot (`token`; default: all bots) in a chat (`account`)."""
        chat = self._chats.find(str(required(command, "account")))
        if chat is None:
            raise BadCommand(f"there is no chat {command['account']}")
        changes = {name: command[name] for name in ("status", "can_post_messages") if name in command}
        if not changes:
            raise BadCommand("status or can_post_messages is needed")
        for bot in self.select_tokens({"token": command["token"]}) if "token" in command else self.list_tokens():
            chat.rights[bot.account] = chat.rights.get(bot.account, {"status": "administrator"}) | changes
        self._chats.save(chat)

    def _add_chat(self) -> Response:
        """`command`: `id, title, username?, rights, type?, migrate_to?`. Replaces a known chat; its messages stay."""
        command = parse_command()
        if set(command) - CHAT_FIELDS or not isinstance(command.get("id"), int):
            raise BadCommand(f"a chat has {', '.join(sorted(CHAT_FIELDS))}, and its id is a number")
        required(command, "title")
        with self.state.lock:
            chat = Chat(**command)
            chat.username = (chat.username or "").removeprefix("@") or None
            old = self._chats.find(str(chat.id))
            chat.last_message_id = old.last_message_id if old else 0
            self._chats.save(chat)
        return jsonify(ok=True)

    def _act_in_dialog(self) -> Response:
        """`command`: `token`, and `person?`, `text`; `press` (callback data) with `message`, `as_person?`; `blocked`.

        Without any of them nothing is done. Returns the messages of the chat, the newest last, and the last answer.
        """
        command = parse_command()
        bot = self.find_token(required(command, "token"))
        if bot is None:
            raise BadCommand("there is no such bot")
        with self.state.lock:
            person = command.get("person", PERSON)
            if "blocked" in command:
                self._dialogs.block(bot, command["blocked"], person)
            elif "press" in command:
                message = self._dialogs.message(bot, person, required(command, "message"))
                if message is None:
                    raise BadCommand("there is no such message")
                self._dialogs.press(bot, message, command["press"], command.get("as_person"))
            elif "text" in command:
                self._dialogs.write(bot, command["text"], person, command.get("name", PERSON_NAME))
            query = self._dialogs.last_query(bot, person)
            return jsonify(
                messages=[asdict(one) for one in self._dialogs.messages(bot, person)],
                answer=query and query.answer,
            )
