"""Removes secrets from logs and reports: those that this process knows, and texts in the form of one.

Known are the settings that are declared secret and every Token that was made here. Secrets from elsewhere are found by
their form: in an address that a library quotes, in a header, in a line of a server's own log.
"""

import re
from collections import deque

HIDDEN = "[скрыто]"

_SHORTEST = 8  # shorter ones would hide ordinary words
_known: deque[str] = deque(maxlen=1000)

_FIELDS = "access_token|refresh_token|code_verifier|client_secret|password|authorization|cookie"
_PARAMETERS = f"{_FIELDS}|code|code_challenge|device_id|token|state|payload|sig|signature|x-amz-signature"

_FORMS = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # Telegram's, in an address or alone; VK's.
        (r"(?<!\d)\d{6,20}:[a-z0-9_-]{20,}", HIDDEN),
        (r"\bvk[12]\.a\.[a-z0-9_.-]{5,}", HIDDEN),
        # Parameters of addresses and forms.
        (rf"\b((?:{_PARAMETERS})=)[^&\s\"'<>\\]+", rf"\1{HIDDEN}"),
        # JSON and dictionaries as they are printed.
        (rf"((?:{_FIELDS})\\?[\"']\s*:\s*\\?[\"'])[^\"'\\]+", rf"\1{HIDDEN}"),
        (r"(authorization:\s*\w+\s+)[^\s\"'\\]+", rf"\1{HIDDEN}"),
        (r"((?:set-)?cookie:\s*)[^\r\n\"\\]+", rf"\1{HIDDEN}"),
        # Links of ours that open something by themselves.
        (r"(/(?:fetch|recovery)/)[^\s\"'?<>\\]+", rf"\1{HIDDEN}"),
        # A user's name and password in an address.
        (r"(://[^/\s:@\"]*:)[^/\s@\"]+(?=@)", rf"\1{HIDDEN}"),
    )
]


def hide(*secrets: str | None) -> None:
    """From now on these are known."""
    for secret in secrets:
        if secret and len(secret) >= _SHORTEST and secret not in _known:
            _known.append(secret)


def text(text: str) -> str:
    """The text without secrets."""
    for secret in tuple(_known):
        text = text.replace(secret, HIDDEN)
    for pattern, replacement in _FORMS:
        text = pattern.sub(replacement, text)
    return text
