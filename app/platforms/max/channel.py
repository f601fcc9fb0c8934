"""A channel as users write it: https://dev.max.ru/docs-api/methods/GET/chats/-chatId-"""

import re
from urllib.parse import urlsplit

from app.platforms.errors import Refused

_NUMBER = re.compile(r"-?\d{5,19}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,63}")
# Of an invitation: it names no channel that the API could be asked for.
_INVITATION = "join"


def channel_of(text: str) -> str:
    """What the API is asked for: a number, or a public channel's name. From @name, name, a link or a number."""
    text = text.strip()
    if "/" in text:
        parts = [part for part in urlsplit(text if "://" in text else f"https://{text}").path.split("/") if part]
        if not parts or parts[0] == _INVITATION:
            raise Refused("max_channel_form", field="channel")
        # In the addresses of a message and of the web version stands the channel's number.
        text = next((part for part in parts if _NUMBER.fullmatch(part)), parts[-1])
    text = text.removeprefix("@")
    if not _NUMBER.fullmatch(text) and not _NAME.fullmatch(text):
        raise Refused("max_channel_form", field="channel")
    return text
