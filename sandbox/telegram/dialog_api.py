"""The Bot API's methods for private chats. Error texts are those of the vendor's server (Client.cpp)."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.state import Token
from sandbox.telegram.dialogs import PERSON, Dialog, Dialogs, Message, message_json
from sandbox.telegram.responses import ApiError

MAX_TEXT = 4096
MAX_ANSWER = 200
MAX_CALLBACK_BYTES = 64
MAX_POLL_SECONDS = 50
_LOOK_SECONDS = 0.05

NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a "
    "current content and reply markup of the message"
)
TERMINATED = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
HAS_WEBHOOK = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


class DialogApi:
    def __init__(self, dialogs: Dialogs) -> None:
        self._dialogs = dialogs
        self._polls: dict[str, int] = {}
        """The number of the latest getUpdates by bot: it ends an earlier one that still waits."""

    @property
    def methods(self) -> dict[str, Callable[[Token, Mapping[str, str]], Any]]:
        return {
            "sendmessage": self._send,
            "editmessagetext": self._edit_text,
            "editmessagereplymarkup": self._edit_markup,
            "answercallbackquery": self._answer,
            "getupdates": self._updates,
            "setwebhook": self._set_webhook,
            "deletewebhook": lambda bot, _: self._set_webhook(bot, {}),
        }

    # Messages

    def _send(self, bot: Token, fields: Mapping[str, str]) -> dict[str, Any]:
        text, buttons = _text(fields), _buttons(fields)
        with self._dialogs.lock:
            dialog = self._dialog(bot, fields)
            message = self._dialogs.add(dialog, text, from_bot=True, buttons=buttons)
            return message_json(message, dialog, bot)

    def _edit_text(self, bot: Token, fields: Mapping[str, str]) -> dict[str, Any]:
        return self._edit(bot, fields, _text(fields))

    def _edit_markup(self, bot: Token, fields: Mapping[str, str]) -> dict[str, Any]:
        return self._edit(bot, fields, None)

    def _edit(self, bot: Token, fields: Mapping[str, str], text: str | None) -> dict[str, Any]:
        buttons = _buttons(fields)
        with self._dialogs.lock:
            dialog = self._dialog(bot, fields)
            number = fields.get("message_id", "")
            message = self._dialogs.message(bot, dialog.person, int(number)) if number.isdigit() else None
            if message is None:
                raise ApiError(400, "Bad Request: message to edit not found")
            if not message.from_bot:
                raise ApiError(400, "Bad Request: message can't be edited")
            text = message.text if text is None else text
            if (text, buttons) == (message.text, message.buttons):
                raise ApiError(400, NOT_MODIFIED)
            self._change(message, text, buttons)
            return message_json(message, dialog, bot)

    def _change(self, message: Message, text: str, buttons: list) -> None:
        message.text, message.buttons, message.edited_at = text, buttons, int(time.time())
        self._dialogs.save(message)

    def _dialog(self, bot: Token, fields: Mapping[str, str]) -> Dialog:
        chat_id = fields.get("chat_id", "")
        if not chat_id:
            raise ApiError(400, "Bad Request: chat_id is empty")
        dialog = self._dialogs.find(bot, int(chat_id)) if chat_id.isdigit() else None
        if dialog is None and chat_id == str(PERSON):
            raise ApiError(403, "Forbidden: bot can't initiate conversation with a user")
        if dialog is None:
            raise ApiError(400, "Bad Request: chat not found")
        if dialog.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        return dialog

    def _answer(self, bot: Token, fields: Mapping[str, str]) -> bool:
        text = fields.get("text", "")
        if len(text) > MAX_ANSWER:
            raise ApiError(400, "Bad Request: MESSAGE_TOO_LONG")
        with self._dialogs.lock:
            query = self._dialogs.query(bot, fields.get("callback_query_id", ""))
            if query is None:
                raise ApiError(400, TOO_OLD)
            self._dialogs.answer(query, text)
        return True

    # Updates

    def _set_webhook(self, bot: Token, fields: Mapping[str, str]) -> bool:
        with self._dialogs.lock:
            self._dialogs.set_fact(bot, "webhook", fields.get("url", ""))
        return True

    def _updates(self, bot: Token, fields: Mapping[str, str]) -> list[dict[str, Any]]:
        offset = _whole(fields, "offset", 0, low=-(1 << 62))
        limit = min(_whole(fields, "limit", 100) or 100, 100)
        until = time.monotonic() + min(_whole(fields, "timeout", 0), MAX_POLL_SECONDS)
        wanted = _list(fields.get("allowed_updates") or "[]", "allowed_updates")
        with self._dialogs.lock:
            if bot.facts.get("webhook"):
                raise ApiError(409, HAS_WEBHOOK)
            mine = self._polls[bot.account] = self._polls.get(bot.account, 0) + 1
        while True:
            with self._dialogs.lock:
                if self._polls[bot.account] != mine:
                    raise ApiError(409, TERMINATED)
                if found := self._next(bot, offset, wanted)[:limit]:
                    return found
            if time.monotonic() >= until:
                return []
            time.sleep(_LOOK_SECONDS)

    def _next(self, bot: Token, offset: int, wanted: list) -> list[dict[str, Any]]:
        """Forgets what comes before the offset. A negative one counts from the end."""
        waiting = self._dialogs.updates(bot)
        if offset < 0 and waiting:
            offset = waiting[offset:][0].id
        self._dialogs.confirm(bot, offset)
        return [one.body for one in self._dialogs.updates(bot) if not wanted or set(wanted) & set(one.body)]


def _text(fields: Mapping[str, str]) -> str:
    text = fields.get("text", "").strip()
    if fields.get("parse_mode"):
        raise ApiError(400, "Bad Request: unsupported parse_mode")
    if not text:
        raise ApiError(400, "Bad Request: message text is empty")
    if len(text) > MAX_TEXT:
        raise ApiError(400, "Bad Request: message is too long")
    return text


def _buttons(fields: Mapping[str, str]) -> list[list[dict[str, Any]]]:
    """Only inline keyboards, of which only buttons with callback_data."""
    if not fields.get("reply_markup"):
        return []
    try:
        rows = json.loads(fields["reply_markup"])["inline_keyboard"]
        buttons = [[dict(button) for button in row] for row in rows]
    except (ValueError, TypeError, KeyError):
        raise ApiError(400, "Bad Request: can't parse inline keyboard button: expected an Object") from None
    for button in (button for row in buttons for button in row):
        if not button.get("text"):
            raise ApiError(400, 'Bad Request: can\'t parse inline keyboard button: Field "text" is empty')
        if set(button) != {"text", "callback_data"}:
            raise ApiError(400, "Bad Request: can't parse inline keyboard button: Text buttons are unallowed")
        if not 1 <= len(str(button["callback_data"]).encode()) <= MAX_CALLBACK_BYTES:
            raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")
    return [row for row in buttons if row]


def _whole(fields: Mapping[str, str], name: str, default: int, low: int = 0) -> int:
    try:
        return max(low, int(fields.get(name) or default))
    except ValueError:
        raise ApiError(400, f"Bad Request: invalid {name} specified") from None


def _list(text: str, name: str) -> list:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise ApiError(400, f"Bad Request: can't parse {name}: expected an Array")
    return found
