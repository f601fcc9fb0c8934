"""Channels, what bots are in them, and messages."""

import time
from dataclasses import dataclass, field
from typing import Any

from sandbox.state import State, Token


@dataclass
class Chat:
    """`members` by bot number: `{"status", "is_owner"?, "is_admin"?, "permissions"?}`; other bots never joined.

    `link`: the name of a public one; None for a private one.
    """

    id: int
    title: str
    link: str | None = None
    type: str = "channel"
    members: dict[str, dict[str, Any]] = field(default_factory=dict)

    def status(self, bot: Token) -> str:
        return self.members.get(bot.account, {}).get("status", "left")

    def is_member(self, bot: Token) -> bool:
        return self.status(bot) == "active"

    def permissions(self, bot: Token) -> list[str] | None:
        """None for a member that is no administrator."""
        member = self.members.get(bot.account, {})
        return member.get("permissions", []) if member.get("is_admin") or member.get("is_owner") else None

    def may_write(self, bot: Token) -> bool:
        owner = self.members.get(bot.account, {}).get("is_owner", False)
        granted = self.permissions(bot) or []
        return self.is_member(bot) and (owner or bool({"write", "post_edit_delete_message"} & set(granted)))


@dataclass
class Message:
    """`attachments`: `{"type", "token"}` each; `post`: the key of the clip that it shows, if it shows one."""

    mid: str
    chat_id: int
    seq: int
    timestamp: int
    text: str
    attachments: list[dict[str, str]]
    post: str | None = None


class Channels:
    def __init__(self, state: State) -> None:
        self._state = state
        self._chats = state.table("max_chat", Chat)
        self._messages = state.table("max_message", Message)

    def save(self, chat: Chat) -> None:
        with self._state.lock:
            self._chats.put(str(chat.id), chat)

    def find(self, number: str) -> Chat | None:
        return self._chats.get(number)

    def find_by_link(self, link: str) -> Chat | None:
        """Names are case-insensitive."""
        name = link.removeprefix("@").lower()
        return next((chat for chat in self._chats if chat.link and chat.link.lower() == name), None)

    def add(self, chat: Chat, text: str, attachments: list[dict[str, str]]) -> Message:
        """The caller holds the lock."""
        # Numbers grow with time, as the vendor's do.
        seq = max([time.time_ns(), *(one.seq + 1 for one in self._messages)])
        message = Message(
            f"mid.{chat.id & (1 << 64) - 1:016x}{seq:016x}", chat.id, seq, seq // 10**6, text, attachments
        )
        self.put(message)
        return message

    def put(self, message: Message) -> None:
        self._messages.put(message.mid, message)

    def message(self, mid: str) -> Message | None:
        return self._messages.get(mid)

    def newest_first(self, chat: Chat) -> list[Message]:
        with self._state.lock:
            own = [one for one in self._messages if one.chat_id == chat.id]
        return sorted(own, key=lambda one: one.seq, reverse=True)
