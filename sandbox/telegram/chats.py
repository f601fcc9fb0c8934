"""Chats, rights of bots, posts."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.state import State, Token, Video


@dataclass
class Chat:
    """`rights` by bot id: `{"status", "can_post_messages"}`; other bots never joined.

    `migrate_to`: the id of the supergroup that replaces this group.
    """

    id: int
    title: str
    username: str | None = None
    type: str = "channel"
    rights: dict[str, dict[str, Any]] = field(default_factory=dict)
    migrate_to: int | None = None
    last_message_id: int = 0

    @property
    def path(self) -> str:
        """Returns the path at t.me."""
        return self.username or f"c/{str(self.id).removeprefix('-100')}"

    def status(self, bot: Token) -> str:
        return self.rights.get(bot.account, {}).get("status", "left")

    def may_post(self, bot: Token) -> bool:
        status = self.status(bot)
        if self.type != "channel":
            return status in ("creator", "administrator", "member")
        granted = self.rights.get(bot.account, {}).get("can_post_messages", False)
        return status == "creator" or (status == "administrator" and granted)


class Chats:
    def __init__(self, state: State) -> None:
        self._state = state
        self._chats = state.table("telegram_chat", Chat)

    def save(self, chat: Chat) -> None:
        self._chats.put(str(chat.id), chat)

    def find(self, chat_id: str) -> Chat | None:
        """Returns the chat by `@name` or number."""
        return self.find_by_username(chat_id[1:]) if chat_id.startswith("@") else self._chats.get(chat_id)

    def find_by_username(self, username: str) -> Chat | None:
        return next((chat for chat in self._chats if (chat.username or "").lower() == username.lower()), None)

    def channels(self) -> list[Chat]:
        return [chat for chat in self._chats if chat.type == "channel"]

    def find_private(self, number: int) -> Chat | None:
        """Returns the chat by the number in a `t.me/c/<number>` link."""
        return self._chats.get(f"-100{number}")

    def posts(self, chat: Chat) -> list[Video]:
        """Returns the posts of a chat, the oldest first."""
        with self._state.lock:
            return [
                video
                for video in self._state.videos
                if video.published and (video.platform, video.account) == ("telegram", str(chat.id))
            ]

    def post(self, chat: Chat, message_id: str) -> Video | None:
        return next((video for video in self.posts(chat) if video.id == message_id), None)
