"""Which passwords are refused: those that are guessed first."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from flask import current_app

from app.problems import Problem

MIN_PASSWORD = 8
MAX_PASSWORD = 128  # a longer one would take longer to hash

_SERVICE = ("vezde", "везде")
_SHORTEST_WORD = 3  # shorter ones are in too many passwords


def check(password: str, field: str, *, email: str, name: str) -> None:
    """Raises Problem at `field`. What is left without the words of the context must be a password itself: «vezde2026»
    is none, a sentence with one's name in it is.
    """
    if len(password) < MIN_PASSWORD:
        raise Problem("password_too_short", field, min=MIN_PASSWORD)
    if len(password) > MAX_PASSWORD:
        raise Problem("password_too_long", field, max=MAX_PASSWORD)
    folded = password.casefold()
    if _is_common(folded):
        raise Problem("password_common", field)
    left = folded
    for word in sorted(_context_words(email, name), key=len, reverse=True):
        left = left.replace(word, "")
    if left != folded and (len(left) < MIN_PASSWORD or _is_common(left)):
        raise Problem("password_of_context", field)


def _is_common(folded: str) -> bool:
    """In one of zxcvbn's lists: 30,000 passwords by how often they leaked, the commonest words and names.

    They are searched as they are: a set of them would take twice their memory, and this is done once in a sign-up.
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 10 MB, which processes that set no password do not need

    return len(set(folded)) < 3 or any(folded in words for words in FREQUENCY_LISTS.values())


def _context_words(email: str, name: str) -> Iterator[str]:
    host = urlsplit(current_app.config["PUBLIC_URL"]).hostname or ""
    local, _, domain = email.partition("@")
    texts = (*_SERVICE, email, local, domain, domain.rpartition(".")[0], name, host, host.rpartition(".")[0])
    for text in texts:
        for word in (text.casefold(), *re.split(r"[\W_]+", text.casefold())):
            if len(word) >= _SHORTEST_WORD:
                yield word
