"""Time: UTC inside, the user's zone at the edges.

`now()` is the database's time where the database has a clock of its own (`db.prepare_postgresql` reads it), so
that a machine whose clock is off neither fires early nor takes over a lease that still holds. From one reading to the
next it is counted by `boottime()`, which cannot be set. This module is the one seam that tests may replace.
"""

import time as machine
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

# The database's clock is read again after this long: a clock drifts by milliseconds meanwhile.
_GOOD_FOR_SECONDS = 60
_PROMPT_SECONDS = 0.2
_NEGLIGIBLE = timedelta(milliseconds=50)
# This machine's clock was set if it has gained or lost so much against `boottime()`.
_SET_SECONDS = 1

# A moment, and the `boottime()` and the machine's own time at it; None: the machine's own clock counts.
_reading: tuple[datetime, float, float] | None = None

DEFAULT_ZONE = "Europe/Moscow"


class NoSuchTime(ValueError):
    """The clocks are put forward over this local time: it does not exist. `instead` is what they show then."""

    def __init__(self, instead: datetime) -> None:
        super().__init__(instead)
        self.instead = instead


class TwoSuchTimes(ValueError):
    """The clocks are put back over this local time: it comes twice."""


def boottime() -> float:
    """Seconds since this machine was started, suspended or not: CLOCK_MONOTONIC stands still during a suspend."""
    return machine.clock_gettime(machine.CLOCK_BOOTTIME)


def sleep(seconds: float) -> None:
    machine.sleep(seconds)


def now() -> datetime:
    if _reading is None:
        return datetime.now(UTC)
    moment, at, _ = _reading
    return moment + timedelta(seconds=boottime() - at)


def correct(database_now: datetime) -> None:
    """Takes the database's time as right from here on. Under 50 ms there is no correction: processes of one machine
    agree to the microsecond then.
    """
    global _reading
    at, here = boottime(), datetime.now(UTC)
    offset = database_now - here
    if abs(offset) <= _NEGLIGIBLE:
        offset = timedelta(0)
    _reading = here + offset, at, here.timestamp()


def is_outdated() -> bool:
    """Whether the database's clock is to be read: never read, too long ago, or this machine's clock has been set."""
    if _reading is None:
        return True
    _, at, here = _reading
    passed = boottime() - at
    return passed > _GOOD_FOR_SECONDS or abs(machine.time() - here - passed) > _SET_SECONDS


def read(database_now: datetime, took: float) -> None:
    """The database's time out of an answer that took so many seconds, and was given at some moment within them.

    An answer that was long on its way (a busy machine, a stopped process) is no more exact than that: it
    corrects only a clock that is further off.
    """
    half = timedelta(seconds=took / 2)
    middle = database_now + half
    correct(middle if took < _PROMPT_SECONDS or abs(middle - now()) > half else now())


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
    return [(day, day_start(day, zone_name)) for day in every]


def day_start(day: date, zone_name: str) -> datetime:
    """The moment (UTC) when a day begins there; where its midnight is skipped, when the clocks are put forward."""
    return datetime.combine(day, time.min, zone(zone_name)).astimezone(UTC)


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
