"""When each of several clips goes out: one a day, or one every some hours, beginning at a time of the user's zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app import clock
from app.models import User
from app.problems import Problem
from app.services import slots

MAX_HOURS = 24 * 31
_MINUTE = timedelta(minutes=1)


class How(StrEnum):
    NOW = "now"
    DAILY = "daily"
    EVERY = "every"
    SLOTS = "slots"


@dataclass(frozen=True)
class Time:
    """`due_at`: UTC, None for now. `skipped`: the local time in the place of which it is, where that does not exist.
    `slot_id`: the slot in which a clip waits then.
    """

    due_at: datetime | None = None
    skipped: datetime | None = None
    slot_id: int | None = None


def spread(user: User, how: How, first: datetime | None, hours: int, count: int) -> Sequence[Time]:
    """A time for each of `count` clips. `first`: UTC; None for now. `hours`: between two of EVERY."""
    if how == How.NOW or first is None:
        return [Time()] * count
    if how == How.EVERY:
        return [Time(first + number * timedelta(hours=hours)) for number in range(count)]
    local = clock.to_zone(first, user.timezone).replace(tzinfo=None)
    # The first is a moment that exists, and of two such times the one that was chosen.
    return [Time(first), *(wall_time(user, local + timedelta(days=day)) for day in range(1, count))][:count]


def in_slots(user: User, account_set_id: int, count: int) -> Sequence[Time]:
    """At the next free slots of a set. Raises NotFound; Problem at the field «queue» where there are not so many."""
    free = slots.next_free(user, account_set_id, count)
    if len(free) < count:
        raise Problem("bulk_too_few_slots", "queue", count=len(free))
    return [Time(one.due_at, slot_id=one.slot_id) for one in free]


def wall_time(user: User, local: datetime) -> Time:
    """What the clock on the wall shows, without a zone: of a time that comes twice the first, in the place of one that
    does not exist the next minute that does.
    """
    exists = local
    while True:
        try:
            return Time(clock.from_zone(exists, user.timezone, fold=0), None if exists == local else local)
        except clock.NoSuchTime:
            exists += _MINUTE


def later_by_days(user: User, due_at: datetime, days: int) -> datetime:
    """At the same time of the day."""
    local = clock.to_zone(due_at, user.timezone).replace(tzinfo=None)
    return wall_time(user, local + timedelta(days=days)).due_at


def parse_hours(typed: str) -> int:
    """Raises Problem at the field «hours»."""
    if not (typed.isascii() and typed.isdigit() and 0 < int(typed[:6]) <= MAX_HOURS):
        raise Problem("spread_hours_malformed", "hours", max=MAX_HOURS)
    return int(typed)
