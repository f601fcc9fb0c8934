"""The installation's own bot in private chats: messages with buttons, and what people write and press.

https://core.telegram.org/bots/api. Nothing here is a publication: a message may come twice.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.platforms.errors import PlatformError, Refused, Unavailable
from app.platforms.http.client import Http, Window
from app.platforms.http.ssrf_guard import own_origins
from app.platforms.telegram import bot_api
from app.platforms.telegram.adapter import PER_BOT, Telegram

# Shorter than most proxies let a request wait.
POLL_SECONDS = 10
MAX_ANSWER = 200
_SLACK_SECONDS = 5
# A message a second in the mean, as in a channel, but several clips may be held at once: Telegram allows short bursts.
_PER_CHAT = (10, 10.0)
_WANTED = ("message", "callback_query")


class Conflict(PlatformError):
    """Another program reads this bot's updates, or has set a webhook for them."""


class Blocked(PlatformError):
    """The person has stopped the bot, or is gone."""


@dataclass(frozen=True)
class Button:
    text: str
    data: str


@dataclass(frozen=True)
class Update:
    """What a person did in a private chat: `text` written, or `press` of the button with this data. Neither: nothing
    that concerns the bot.
    """

    id: int
    chat_id: int = 0
    name: str = ""
    text: str | None = None
    press: str | None = None
    press_id: str = ""
    message_id: int = 0


class BotChat:
    def __init__(self, config: Mapping[str, Any], token: str, http: Http | None = None) -> None:
        self._config, self._token = config, token
        self._http = http or Http()
        self._http.allow(own_origins(Telegram.settings, config))

    @property
    def bot_id(self) -> int:
        return int(self._token.partition(":")[0])

    def username(self) -> str:
        return str(self._call("getMe").get("username", ""))

    def updates(self, offset: int, seconds: int = POLL_SECONDS) -> list[Update]:
        """Waits for updates; those below `offset` are confirmed, and never come again. Raises Conflict."""
        asked = {"offset": offset, "timeout": seconds, "allowed_updates": json.dumps(_WANTED)}
        found = self._call("getUpdates", response_seconds=seconds + _SLACK_SECONDS, **asked)
        if not isinstance(found, list):
            raise Unavailable("в ответе Telegram нет сообщений боту")
        return [_update(one) for one in found if isinstance(one, dict) and isinstance(one.get("update_id"), int)]

    def send(self, chat_id: int, text: str, buttons: Sequence[Button] = ()) -> int:
        """The message's id. Raises Blocked."""
        self._http.pace(Window(f"telegram:bot:{self._token}", *PER_BOT), Window(f"telegram:chat:{chat_id}", *_PER_CHAT))
        markup = {"reply_markup": _keyboard(buttons)} if buttons else {}
        message = self._call("sendMessage", chat_id=chat_id, text=text, **markup)
        message_id = message.get("message_id") if isinstance(message, dict) else None
        if not isinstance(message_id, int):
            raise Unavailable("в ответе Telegram нет номера сообщения")
        return message_id

    def answer(self, press_id: str, text: str) -> None:
        """What the person sees over the chat after a press."""
        self._call("answerCallbackQuery", callback_query_id=press_id, text=shortened(text, MAX_ANSWER))

    def edit(self, chat_id: int, message_id: int, text: str) -> None:
        """Another text, and no more buttons."""
        try:
            self._call("editMessageText", chat_id=chat_id, message_id=message_id, text=text)
        except Refused as refusal:
            if "message is not modified" not in refusal.detail.lower():
                raise

    def _call(self, method: str, *, response_seconds: float | None = None, **fields: Any) -> Any:
        url = f"{self._config['TELEGRAM_API_URL']}/bot{self._token}/{method}"
        more = {"response_seconds": response_seconds} if response_seconds else {}
        response = self._http.request("POST", url, data=fields, proxy=self._config["TELEGRAM_PROXY_URL"], **more)
        payload = response.json()
        if isinstance(payload, dict) and payload.get("ok") is False:
            code, description = payload.get("error_code"), str(payload.get("description", ""))
            if code == 409:
                raise Conflict("refused", description)
            if code == 403 or "chat not found" in description.lower():
                raise Blocked("refused", description)
        return bot_api.result(response)


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _keyboard(buttons: Sequence[Button]) -> str:
    return json.dumps({"inline_keyboard": [[{"text": one.text, "callback_data": one.data} for one in buttons]]})


def _update(body: Mapping[str, Any]) -> Update:
    """Of a chat of one person with the bot: there the chat's id is the person's."""
    if isinstance(query := body.get("callback_query"), dict):
        message = query.get("message")
        person, message = query.get("from"), message if isinstance(message, dict) else {}
        fields = {"press": query.get("data"), "press_id": query.get("id"), "message_id": message.get("message_id")}
    elif isinstance(message := body.get("message"), dict):
        person, fields = message.get("from"), {"text": message.get("text") or ""}
    else:
        return Update(body["update_id"])
    chat = message.get("chat")
    if not isinstance(person, dict) or not isinstance(person.get("id"), int) or not isinstance(chat, dict):
        return Update(body["update_id"])
    if chat.get("type") != "private" or not all(isinstance(one, int | str) for one in fields.values()):
        return Update(body["update_id"])
    name = f"@{person['username']}" if person.get("username") else str(person.get("first_name", ""))
    return Update(body["update_id"], person["id"], name, **fields)
