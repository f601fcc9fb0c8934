"""Private chats of a person with bots: messages, their buttons, and the updates that a bot has not confirmed."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.state import State, Token

PERSON = 700000001
"""The person at the sandbox's page. The id of a private chat is the person's."""
PERSON_NAME = "Вера"
QUERY_SECONDS = 60
"""How long a press waits for its answer. The vendor names no number; clients give up after about a minute."""


@dataclass
class Dialog:
    """A person who has started the bot. `blocked`: and stopped it since."""

    bot: str
    person: int
    name: str
    blocked: bool = False
    last_message_id: int = 0


@dataclass
class Message:
    """`buttons`: the rows of its inline keyboard."""

    bot: str
    person: int
    id: int
    text: str
    from_bot: bool
    date: int
    edited_at: int | None = None
    buttons: list[list[dict[str, Any]]] = field(default_factory=list)


@dataclass
class Update:
    bot: str
    id: int
    body: dict[str, Any]


@dataclass
class Query:
    """A press of a button. `answer`: what the bot has said to it; None before."""

    bot: str
    id: str
    person: int
    at: float
    answer: str | None = None

    @property
    def waits(self) -> bool:
        return self.answer is None and time.time() - self.at < QUERY_SECONDS


class Dialogs:
    """The caller holds `State.lock`."""

    def __init__(self, state: State) -> None:
        self.lock = state.lock
        self._tokens = state.tokens
        self._dialogs = state.table("telegram_dialog", Dialog)
        self._messages = state.table("telegram_message", Message)
        self._updates = state.table("telegram_update", Update)
        self._queries = state.table("telegram_query", Query)

    def find(self, bot: Token, person: int) -> Dialog | None:
        return self._dialogs.get(f"{bot.account} {person}")

    def messages(self, bot: Token, person: int) -> list[Message]:
        return [one for one in self._messages if (one.bot, one.person) == (bot.account, person)]

    def message(self, bot: Token, person: int, message_id: int) -> Message | None:
        return self._messages.get(f"{bot.account} {person} {message_id}")

    def save(self, message: Message) -> None:
        self._messages.put(f"{message.bot} {message.person} {message.id}", message)

    def add(self, dialog: Dialog, text: str, *, from_bot: bool, buttons: list | None = None) -> Message:
        dialog.last_message_id += 1
        self._put(dialog)
        number, now = dialog.last_message_id, int(time.time())
        message = Message(dialog.bot, dialog.person, number, text, from_bot, now, buttons=buttons or [])
        self.save(message)
        return message

    def _put(self, dialog: Dialog) -> None:
        self._dialogs.put(f"{dialog.bot} {dialog.person}", dialog)

    # What the person does

    def write(self, bot: Token, text: str, person: int = PERSON, name: str = PERSON_NAME) -> Message:
        """The first message starts the bot, any unblocks it."""
        dialog = self.find(bot, person) or Dialog(bot.account, person, name)
        dialog.blocked = False
        message = self.add(dialog, text, from_bot=False)
        self._queue(bot, {"message": message_json(message, dialog, bot)})
        return message

    def press(self, bot: Token, message: Message, data: str, person: int | None = None) -> None:
        """`person`: another one than the chat's, as only a forged update could have."""
        dialog = self.find(bot, message.person)
        query = Query(bot.account, str(uuid.uuid4().int >> 65), message.person, time.time())
        self._queries.put(query.id, query)
        sender = person_json(dialog) | ({"id": person} if person else {})
        body = {
            "id": query.id,
            "from": sender,
            "message": message_json(message, dialog, bot),
            "chat_instance": str(abs(hash((bot.account, message.person)))),
            "data": data,
        }
        self._queue(bot, {"callback_query": body})

    def block(self, bot: Token, blocked: bool, person: int = PERSON) -> None:
        if dialog := self.find(bot, person):
            dialog.blocked = blocked
            self._put(dialog)

    # Updates

    def _queue(self, bot: Token, body: Mapping[str, Any]) -> None:
        # Ids go up after a reset too, which forgets the last one.
        update_id = bot.facts.get("last_update_id", int(time.time())) + 1
        self.set_fact(bot, "last_update_id", update_id)
        self._updates.put(
            f"{bot.account} {update_id}", Update(bot.account, update_id, {"update_id": update_id, **body})
        )

    def set_fact(self, bot: Token, name: str, value: Any) -> None:
        bot.facts[name] = value
        self._tokens.put(f"{bot.platform} {bot.token}", bot)

    def updates(self, bot: Token) -> list[Update]:
        return [one for one in self._updates if one.bot == bot.account]

    def confirm(self, bot: Token, below: int) -> None:
        for one in self.updates(bot):
            if one.id < below:
                self._updates.delete(f"{bot.account} {one.id}")

    # Presses

    def query(self, bot: Token, query_id: str) -> Query | None:
        """One that can still be answered."""
        query = self._queries.get(query_id)
        return query if query and query.bot == bot.account and query.waits else None

    def answer(self, query: Query, text: str) -> None:
        query.answer = text
        self._queries.put(query.id, query)

    def last_query(self, bot: Token, person: int = PERSON) -> Query | None:
        return next(
            (one for one in reversed(list(self._queries)) if (one.bot, one.person) == (bot.account, person)), None
        )


def person_json(dialog: Dialog) -> dict[str, Any]:
    return {"id": dialog.person, "is_bot": False, "first_name": dialog.name}


def message_json(message: Message, dialog: Dialog, bot: Token) -> dict[str, Any]:
    """https://core.telegram.org/bots/api#message"""
    name = bot.facts["username"]
    sender = {"id": int(bot.account), "is_bot": True, "first_name": name, "username": name}
    body = {
        "message_id": message.id,
        "from": sender if message.from_bot else person_json(dialog),
        "chat": {"id": message.person, "type": "private", "first_name": dialog.name},
        "date": message.date,
        "text": message.text,
    }
    if message.edited_at:
        body["edit_date"] = message.edited_at
    if message.buttons:
        body["reply_markup"] = {"inline_keyboard": message.buttons}
    return body
