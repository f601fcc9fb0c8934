"""Time: UTC inside, the user's zone at the edges.

`now()` is corrected by the database's clock (`correct()`), so that a machine whose clock is off neither
fires early nor takes over a lease that still holds. This module is the one seam that tests may replace.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

_offset = timedelta(0)

DEFAULT_ZONE = "Europe/Moscow"


class NoSuchTime(ValueError):
    """The clocks are put forward over this local time: it does not exist. `instead` is what they show then."""

    def __init__(self, instead: datetime) -> None:
        super().__init__(instead)
        self.instead = instead


class TwoSuchTimes(ValueError):
    """The clocks are put back over this local time: it comes twice."""


def now() -> datetime:
    return datetime.now(UTC) + _offset


def correct(database_now: datetime) -> timedelta:
    """Takes the database's time as right from here on; answers the correction. Under 50 ms it is left alone."""
    global _offset
    offset = database_now - datetime.now(UTC)
    _offset = offset if abs(offset) > timedelta(milliseconds=50) else timedelta(0)
    return _offset


@lru_cache(maxsize=1024)
def zone(name: str | None) -> ZoneInfo:
    """Remembered: listing the zones there are walks through hundreds of files, and a page asks for every line."""
    return ZoneInfo(name if name in available_timezones() else DEFAULT_ZONE)


def to_zone(moment: datetime, zone_name: str) -> datetime:
    return moment.astimezone(zone(zone_name))


def days(zone_name: str, count: int) -> list[tuple[date, datetime]]:
    """The last `count` days there, today included, each with the moment (UTC) when it begins."""
    today = to_zone(now(), zone_name).date()
    every = [today - timedelta(days=back) for back in reversed(range(count))]
    return [(day, datetime.combine(day, time.min, zone(zone_name)).astimezone(UTC)) for day in every]


def from_zone(local: datetime, zone_name: str, fold: int | None = None) -> datetime:
    """UTC of a local time without a zone. Raises NoSuchTime or TwoSuchTimes around a clock change.

    `fold` chooses of two such times: 0 is the first, 1 the second.
    """
    place = zone(zone_name)
    first = local.replace(tzinfo=place, fold=0)
    second = local.replace(tzinfo=place, fold=1)
    if first.utcoffset() != second.utcoffset():
        # A gap has its offsets in the order "before, after"; only a real time survives the way to UTC and back.
        round_trip = first.astimezone(UTC).astimezone(place).replace(tzinfo=None)
        if round_trip != local:
            raise NoSuchTime(round_trip)
        if fold is None:
            raise TwoSuchTimes
    return (second if fold else first).astimezone(UTC)
