"""How often a platform may be called. The function that waits is handed in."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """At most `limit` calls in `seconds` for everything that shares `key` (hashed before it is stored)."""

    key: str
    limit: int
    seconds: float


Pace = Callable[..., None]


def no_pacing(*_windows: Window) -> None:
    """For the few calls of a user who is connecting an account."""
