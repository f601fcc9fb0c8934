"""What a platform says, made fit to be stored and shown: without secrets, control characters, and more than its bound.

`PlatformError` and `Account` pass all their texts through here when they are made, so that no adapter can forget it.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from app.observability import redact

MAX_CHARACTERS = 500
_MAX_DEPTH = 5
# A text of a megabyte is not searched for what will be cut off anyway.
_MAX_SEARCHED = 20 * MAX_CHARACTERS

_SPACE = re.compile(r"\s+")
# Control, format (bidirectional overrides, zero width), halves of surrogate pairs.
_INVISIBLE = {"Cc", "Cf", "Cs"}
_JOINER = "\u200d"  # holds the parts of an emoji together


def clean(text: object, limit: int = MAX_CHARACTERS) -> str:
    """`text` as one line of at most `limit` characters."""
    line = _SPACE.sub(" ", str(text)[:_MAX_SEARCHED]).strip()
    if not line.isascii() or not line.isprintable():
        line = "".join(one for one in line if one == _JOINER or unicodedata.category(one) not in _INVISIBLE)
    return redact.text(line)[:limit]


def clean_inside(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """A JSON value whose texts are clean; what is nested deeper than `depth` becomes a text."""
    if isinstance(value, str) or (depth == 0 and isinstance(value, (Mapping, list, tuple))):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(name): clean_inside(inner, depth - 1) for name, inner in value.items()}
    return [clean_inside(inner, depth - 1) for inner in value] if isinstance(value, (list, tuple)) else value
