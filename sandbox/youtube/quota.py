"""A project's quota: uploads and units a day, until midnight Pacific time. A request that is refused costs as much.

https://developers.google.com/youtube/v3/determine_quota_cost
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sandbox.emulator import Emulator
from sandbox.state import Token
from sandbox.youtube.errors import GoogleError

PACIFIC = ZoneInfo("America/Los_Angeles")
LIST, UPDATE = 1, 50
"""Units of a call that reads, and of one that writes."""


@dataclass
class Used:
    inserts: int = 0
    units: int = 0


class Quota:
    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._days = self._state.table("youtube_quota", Used)

    def spend_insert(self, token: Token) -> None:
        self._spend(token, "inserts", 1, self._emulator.option("daily_inserts"))

    def spend(self, token: Token, units: int) -> None:
        self._spend(token, "units", units, self._emulator.option("daily_units"))

    def _spend(self, token: Token, what: str, count: int, limit: int) -> None:
        """Raises GoogleError. A project is the client that the token was issued to."""
        if not self._emulator.rate_limited:
            return
        key = f"{token.facts.get('client_id', '')} {datetime.now(PACIFIC).date()}"
        with self._state.lock:
            used = self._days.get(key) or Used()
            if getattr(used, what) + count > limit:
                raise GoogleError(
                    "quotaExceeded", "The request cannot be completed because you have exceeded your quota."
                )
            setattr(used, what, getattr(used, what) + count)
            self._days.put(key, used)
