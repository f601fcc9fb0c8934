"""Weekly slots of account sets: when they come, in their user's zone, and which are free.

An occurrence is taken by what waits in it: a clip on the set's accounts. A local time that the clocks skip comes at the
next minute that exists, one that comes twice at the first; a set has one occurrence at a moment.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile

from sqlalchemy import ColumnElement, select

from app import clock
from app.db import db
from app.models import AccountSet, Publication, Slot, Status, User, lock_plan
from app.problems import NotFound, Problem
from app.services import account_sets, due_times

# Of one set.
MAX_SLOTS = 60
MINUTES_A_DAY = 24 * 60
_DAY = timedelta(days=1)
_TIME = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?")
_BETWEEN_TIMES = re.compile(r"[\s,;]+(?:и\s+)?")


@dataclass(frozen=True)
class FreeSlot:
    """An occurrence in which nothing waits."""

    slot_id: int
    due_at: datetime
    account_set_id: int


@dataclass(frozen=True)
class Waiting:
    """A clip that waits in an occurrence, with its publications there."""

    slot_id: int
    clip_id: int | None
    due_at: datetime
    publication_ids: Sequence[int]


# When


def occurrence(day: date, minute: int, zone_name: str) -> datetime:
    """The moment (UTC) at which a slot comes on that day."""
    local = datetime.combine(day, time.min) + timedelta(minutes=minute)
    while True:
        try:
            return clock.from_zone(local, zone_name, fold=0)
        except clock.NoSuchTime:
            local += timedelta(minutes=1)


def upcoming(slots: Iterable[Slot], zone_name: str, after: datetime) -> Iterator[FreeSlot]:
    """Their occurrences later than `after`, in order and without end, whether free or not."""
    slots = list(slots)
    day = clock.to_zone(after, zone_name).date() - _DAY  # the clocks may skip midnight
    while slots:
        todays = (one for one in slots if one.weekday == day.weekday())
        moments = ((occurrence(day, one.minute, zone_name), one) for one in todays)
        for due_at, slot in sorted(moments, key=lambda pair: (pair[0], pair[1].minute)):
            if due_at > after:
                yield FreeSlot(slot.id, due_at, slot.account_set_id)
                after = due_at
        day += _DAY


def next_free(
    user: User, account_set_id: int, count: int, *, after: datetime | None = None, taken: Collection[datetime] = ()
) -> list[FreeSlot]:
    """The next `count` of a set, fewer where the year ahead has no more; none at the moments `taken`.

    Raises NotFound.
    """
    return free_of(user, account_sets.get(user, account_set_id), count, after=after, taken=taken)


def free_of(
    user: User,
    account_set: AccountSet,
    count: int,
    *,
    after: datetime | None = None,
    taken: Collection[datetime] = (),
) -> list[FreeSlot]:
    """The same of a set that has been read."""
    start = _not_before(after)
    occupied = {due_at for _, due_at in _taken(account_set.slots, Publication.due_at > start)} | set(taken)
    comes = upcoming(account_set.slots, user.timezone, start)
    free = (one for one in comes if one.due_at not in occupied)
    latest = due_times.latest()
    return list(islice(takewhile(lambda one: one.due_at <= latest, free), count))


def free_between(user: User, start: datetime, end: datetime) -> list[FreeSlot]:
    """Of all sets that are not paused, from `start` up to `end`, in order."""
    sets = [one for one in account_sets.all_of(user) if one.slots and not one.paused_at]
    just_before = _not_before(start - timedelta(microseconds=1))
    between = (Publication.due_at > just_before, Publication.due_at < end)
    occupied = _taken([slot for account_set in sets for slot in account_set.slots], *between)
    found = [
        one
        for account_set in sets
        for one in takewhile(lambda one: one.due_at < end, upcoming(account_set.slots, user.timezone, just_before))
        if (one.slot_id, one.due_at) not in occupied
    ]
    return sorted(found, key=lambda one: (one.due_at, one.account_set_id))


def _not_before(after: datetime | None) -> datetime:
    """Late enough to be chosen now."""
    earliest = due_times.earliest() - timedelta(microseconds=1)
    return max(after, earliest) if after else earliest


def _taken(slots: Iterable[Slot], *where: ColumnElement[bool]) -> set[tuple[int, datetime]]:
    """Slots and the due times of what waits in them."""
    ids = [one.id for one in slots]
    waiting = (Publication.slot_id.in_(ids), Publication.status == Status.SCHEDULED)
    pairs = select(Publication.slot_id, Publication.due_at).where(*waiting, *where).distinct()
    return {(slot_id, due_at) for slot_id, due_at in db.session.execute(pairs)}


def waiting_in(slots: Iterable[Slot]) -> list[Waiting]:
    """By due time; publications of one clip at one time together."""
    ids = [one.id for one in slots]
    if not ids:
        return []
    columns = (Publication.slot_id, Publication.clip_id, Publication.due_at, Publication.id)
    rows = db.session.execute(
        select(*columns)
        .where(Publication.slot_id.in_(ids), Publication.status == Status.SCHEDULED)
        .order_by(Publication.due_at, Publication.id)
    )
    items: dict[tuple, list[int]] = {}
    for *item, publication_id in rows:
        items.setdefault(tuple(item), []).append(publication_id)
    return [Waiting(*item, publication_ids) for item, publication_ids in items.items()]


# Holding an occurrence


def check_free(
    user: User, wanted: Iterable[tuple[int, datetime, int]]
) -> dict[tuple[int, datetime, int], Problem | NotFound]:
    """Of wishes (slot, due time, clip) those that are refused: another clip waits there by now or comes before it, or
    the slot is another. Until the transaction ends, no other request of the user changes that.
    """
    lock_plan(user.id)
    wanted = list(wanted)
    mine = {slot.id: slot for account_set in account_sets.all_of(user) for slot in account_set.slots}
    sets = {mine[slot_id].account_set_id for slot_id, _, _ in wanted if slot_id in mine}
    waiting = waiting_in(slot for slot in mine.values() if slot.account_set_id in sets)
    holders = {(mine[one.slot_id].account_set_id, one.due_at): one.clip_id for one in waiting}
    refused: dict[tuple[int, datetime, int], Problem | NotFound] = {}
    for wish in wanted:
        slot_id, due_at, clip_id = wish
        slot = mine.get(slot_id)
        if slot is None:
            refused[wish] = NotFound()
        elif not _is_occurrence(slot, due_at, user.timezone) or (
            holders.setdefault((slot.account_set_id, due_at), clip_id) != clip_id
        ):
            refused[wish] = Problem("slot_taken", "due")
    return refused


def _is_occurrence(slot: Slot, due_at: datetime, zone_name: str) -> bool:
    day = clock.to_zone(due_at, zone_name).date()
    return day.weekday() == slot.weekday and occurrence(day, slot.minute, zone_name) == due_at.astimezone(UTC)


# The slots themselves


def get(user: User, slot_id: int) -> Slot:
    """Raises NotFound, for another user's too."""
    mine = select(Slot).join(AccountSet, AccountSet.id == Slot.account_set_id)
    slot = db.session.scalar(mine.where(Slot.id == slot_id, AccountSet.user_id == user.id))
    if slot is None:
        raise NotFound
    return slot


def add(user: User, account_set_id: int, weekdays: Collection[int], minutes: Collection[int]) -> int:
    """Every one of the times on every one of the days; returns how many are new. Raises NotFound, Problem."""
    account_sets.get(user, account_set_id)
    days = {one for one in weekdays if 0 <= one < 7}
    if not days:
        raise Problem("slot_days_missing", "weekday")
    if not minutes:
        raise Problem("slot_times_missing", "times")
    lock_plan(user.id)
    account_set = account_sets.get(user, account_set_id)
    known = {(one.weekday, one.minute) for one in account_set.slots}
    new = {(day, minute) for day in days for minute in minutes} - known
    if len(known) + len(new) > MAX_SLOTS:
        raise Problem("too_many_slots", "times", max=MAX_SLOTS)
    db.session.add_all(Slot(account_set_id=account_set.id, weekday=day, minute=at) for day, at in sorted(new))
    db.session.flush()
    db.session.expire(account_set)
    return len(new)


def parse_times(typed: str) -> list[int]:
    """Minutes of the day of «10:00 и 19:00», «9, 13.30». Raises Problem at the field «times»."""
    found = [_TIME.fullmatch(one) for one in _BETWEEN_TIMES.split(typed.strip()) if one]
    times = [(int(one[1]), int(one[2] or 0)) if one else (24, 0) for one in found]
    if any(hour > 23 or minute > 59 for hour, minute in times):
        raise Problem("slot_times_malformed", "times")
    return sorted({hour * 60 + minute for hour, minute in times})
