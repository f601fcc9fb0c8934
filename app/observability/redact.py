"""Removes secrets from logs and reports: those that this process knows, and texts in the form of one.

Known are the settings that are declared secret, for ever, and what is in use at the moment: the secrets of each Token
while it exists (only its owner holds it), and those of a `hidden` block. Afterwards nothing here refers to them.
Secrets from elsewhere are found by their form: in an address that a library quotes, in a header, in a line of a
server's own log.
"""

import base64
import html
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from urllib.parse import quote, quote_plus
from weakref import WeakMethod

HIDDEN = "[скрыто]"

_SHORTEST = 8  # shorter ones would hide ordinary words
# Of a secret in use, a part this long is hidden too: a platform may quote it cut.
_PART = 16

_lock = Lock()
_settings: dict[str, set[str]] = {}  # secret: its spellings
_in_use: Counter[str] = Counter()  # how many `hidden` blocks a secret is in
_owners: dict[int, WeakMethod] = {}  # of objects that have secrets

_FIELDS = "access_token|refresh_token|code_verifier|client_secret|password|authorization|cookie"
_PARAMETERS = f"{_FIELDS}|code|code_challenge|device_id|token|state|payload|sig|signature|x-amz-signature"

_FORMS = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # Telegram's, in an address or alone; VK's.
        (r"(?<!\d)\d{6,20}:[a-z0-9_-]{20,}", HIDDEN),
        (r"\bvk[12]\.a\.[a-z0-9_.-]{5,}", HIDDEN),
        # Keys of our own API, beyond the part by which their user knows them.
        (r"\b(vz_[a-z0-9_-]{5})[a-z0-9_-]{11,}", rf"\1{HIDDEN}"),
        # Parameters of addresses and forms.
        (rf"\b((?:{_PARAMETERS})=)[^&\s\"'<>\\]+", rf"\1{HIDDEN}"),
        # JSON and dictionaries as they are printed.
        (rf"((?:{_FIELDS})\\?[\"']\s*:\s*\\?[\"'])[^\"'\\]+", rf"\1{HIDDEN}"),
        (r"(authorization:\s*\w+\s+)[^\s\"'\\]+", rf"\1{HIDDEN}"),
        (r"((?:set-)?cookie:\s*)[^\r\n\"\\]+", rf"\1{HIDDEN}"),
        # Links of ours that open something by themselves.
        (r"(/(?:fetch|recovery|email|hooks/in|plan/feed/\d+)/)[^\s\"'?<>\\]+", rf"\1{HIDDEN}"),
        # A user's name and password in an address.
        (r"(://[^/\s:@\"]*:)[^/\s@\"]+(?=@)", rf"\1{HIDDEN}"),
    )
]


def hide(*secrets: str | None) -> None:
    """From now on these are known: for settings only."""
    for secret in _long_enough(secrets):
        _settings[secret] = _spellings(secret)


@contextmanager
def hidden(*secrets: str | None) -> Iterator[None]:
    """These are known until the block ends, in every thread; blocks may be nested."""
    counted = Counter(_long_enough(secrets))
    with _lock:
        _in_use.update(counted)
    try:
        yield
    finally:
        with _lock:
            _in_use.subtract(counted)
            for secret in counted:
                if not _in_use[secret]:
                    del _in_use[secret]


def hide_while_alive(secrets: Callable[[], Iterable[str | None]]) -> None:
    """What the bound method returns is known for as long as its object exists."""
    key = id(secrets.__self__)
    _owners[key] = WeakMethod(secrets, lambda _gone: _owners.pop(key, None))


def text(text: str) -> str:
    """The text without secrets."""
    for spellings in tuple(_settings.values()):
        text = _without(text, spellings)
    for secret in _secrets_in_use():
        text = _without_parts(_without(text, _spellings(secret)), secret)
    for pattern, replacement in _FORMS:
        text = pattern.sub(replacement, text)
    return text


def _long_enough(secrets: Iterable[str | None]) -> list[str]:
    return [secret for secret in secrets if secret and len(secret) >= _SHORTEST]


def _secrets_in_use() -> set[str]:
    with _lock:
        found = set(_in_use)
    for owner in tuple(_owners.values()):
        if secrets := owner():
            found.update(_long_enough(secrets()))
    return found


def _spellings(secret: str) -> set[str]:
    """The secret as it is, and as addresses, forms, JSON, HTML and Basic authentication write it."""
    quoted = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    lower = {re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), one) for one in quoted}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret).replace("/", "\\/")[1:-1], html.escape(secret)}
    return {secret, *quoted, *lower, *escaped, *_base64(secret.encode(errors="ignore"))}


def _base64(secret: bytes) -> Iterator[str]:
    """The characters that belong to it alone, after any number of bytes before it («id:secret»)."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret)
        first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        own = encoded[first:last].decode()
        yield own
        yield own.replace("+", "-").replace("/", "_")


def _without(text: str, spellings: set[str]) -> str:
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, HIDDEN)
    return text


def _without_parts(text: str, secret: str) -> str:
    """Without any _PART characters in a row of the secret, and what follows of it."""
    parts = {secret[start : start + _PART] for start in range(len(secret) - _PART + 1)}
    at = 0
    while at <= len(text) - _PART:
        end = at
        while text[end : end + _PART] in parts:
            end += 1
        if end > at:
            text = text[:at] + HIDDEN + text[end - 1 + _PART :]
            at += len(HIDDEN)
        else:
            at += 1
    return text
