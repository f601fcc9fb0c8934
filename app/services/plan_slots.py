"""Free occurrences of the weekly slots of a user's account sets, for the calendar."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, timedelta

from sqlalchemy import select

from app import clock
from app.db import db
from app.models import AccountSet, Publication, Slot, Status, User


@dataclass(frozen=True)
class FreeSlot:
    slot_id: int
    due_at: datetime


def free_between(user: User, start: datetime, end: datetime) -> list[FreeSlot]:
    """In the order of their times; not those of a set that is paused, nor of the past."""
    start = max(start, clock.now())
    mine = (
        select(Slot.id, Slot.weekday, Slot.minute)
        .join(AccountSet, AccountSet.id == Slot.account_set_id)
        .where(AccountSet.user_id == user.id, AccountSet.paused_at.is_(None))
    )
    slots = db.session.execute(mine).all()
    if not slots or start >= end:
        return []
    waiting = select(Publication.slot_id, Publication.due_at).where(
        Publication.slot_id.in_([slot.id for slot in slots]),
        Publication.due_at >= start,
        Publication.due_at < end,
        Publication.status == Status.SCHEDULED,
    )
    taken = {(row.slot_id, row.due_at) for row in db.session.execute(waiting)}
    found = [
        FreeSlot(slot.id, at)
        for day in _days(user, start, end)
        for slot in slots
        if slot.weekday == day.weekday()
        for at in [_occurrence(user, day, slot.minute)]
        if start <= at < end and (slot.id, at) not in taken
    ]
    return sorted(found, key=lambda one: (one.due_at, one.slot_id))


def _days(user: User, start: datetime, end: datetime) -> Iterator[Date]:
    day, last = (clock.to_zone(moment, user.timezone).date() for moment in (start, end))
    while day <= last:
        yield day
        day += timedelta(days=1)


def _occurrence(user: User, day: Date, minute: int) -> datetime:
    """A skipped local time counts as when the clocks have been put forward, a doubled one as the first."""
    local = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)
    try:
        return clock.from_zone(local, user.timezone, fold=0)
    except clock.NoSuchTime as gap:
        return clock.from_zone(gap.instead, user.timezone, fold=0)
