"""A platform's response: read within bounds, its JSON, and when it allows the next call."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from app import clock
from app.platforms.errors import LONGEST_WAIT, RateLimited

MAX_BYTES = 4 << 20
_BLOCK = 64 << 10
_MAX_DEPTH = 50
_MAX_INTEGER = 1 << 63


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self, number: Callable[[str], Any] = int) -> Any:
        """The parsed body, or None where it is not JSON (an HTML page of some gateway) or none that is safe to use.

        Safe: in UTF-8, each name once, nested _MAX_DEPTH deep, with numbers that a database holds. Zero bytes and
        halves of surrogate pairs, which JSON can escape, but no page and no database holds, are left out.
        `number` makes a value of an integer's digits: some are ids.
        """
        try:
            return _checked(json.loads(self.body.decode("utf-8-sig"), object_pairs_hook=_unique, parse_int=number))
        except (ValueError, RecursionError):
            return None

    def retry_at(self, pause: float) -> datetime:
        return retry_at(self.headers.get("Retry-After"), pause)

    def raise_if_limited(self, pause: float, detail: str = "", *, definitely_not_applied: bool = False) -> None:
        """Raises RateLimited for a 429, and for a 503 with a Retry-After.

        `definitely_not_applied` where the response has the platform's own shape: a gateway may have passed the request
        on.
        """
        if self.status == 429 or (self.status == 503 and "Retry-After" in self.headers):
            raise RateLimited(self.retry_at(pause), detail, definitely_not_applied=definitely_not_applied)


def retry_at(value: Any, pause: float) -> datetime:
    """When to call again, by a Retry-After header or a number of seconds in a body, at most LONGEST_WAIT from now.

    After `pause` seconds where it is neither, or not ahead. https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
    """
    now = clock.now()
    longest = LONGEST_WAIT.total_seconds()
    try:
        seconds = float(value)
    except OverflowError:
        seconds = longest
    except (TypeError, ValueError):
        seconds = _seconds_to_date(value, now)
    return now + timedelta(seconds=min(seconds, longest) if seconds >= 0 else pause)


def _seconds_to_date(value: Any, now: datetime) -> float:
    """Negative where it is no date."""
    try:
        date = parsedate_to_datetime(value)
        return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
    except (TypeError, ValueError, OverflowError, AttributeError):
        return -1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name twice")
    return names


def _checked(value: Any, depth: int = _MAX_DEPTH) -> Any:
    if isinstance(value, str):
        return value if value.isascii() and "\0" not in value else _printable(value)
    if isinstance(value, int | float):
        if abs(value) >= _MAX_INTEGER if isinstance(value, int) else not math.isfinite(value):
            raise ValueError("a number out of range")
        return value
    if depth == 0 and value:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {_printable(name): _checked(inner, depth - 1) for name, inner in value.items()}
    return [_checked(inner, depth - 1) for inner in value] if isinstance(value, list) else value


def _printable(text: str) -> str:
    return text.replace("\0", "").encode(errors="ignore").decode()


def read_body(response: requests.Response, seconds: float, max_bytes: int = MAX_BYTES) -> bytes:
    """Unpacked: at most `max_bytes`, and for at most `seconds`, however slowly it drips."""
    body, give_up = bytearray(), time.monotonic() + seconds
    while len(body) < max_bytes:
        block = response.raw.read1(_BLOCK, decode_content=True)
        if not block:
            break
        body += block
        if time.monotonic() > give_up:
            raise TimeoutError
    return bytes(body[:max_bytes])
