"""What waits in a slot follows it: to another time or day, to another zone, out of a deleted slot, over a pause.

What is going out already stays: a publication that falls due now counts as that, and one that begins at the same moment
is not moved (`publishing.rescheduling`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, update

from app import clock
from app.db import db
from app.models import AccountSet, AccountSetMember, Publication, Slot, User, lock_plan
from app.problems import Problem
from app.publishing import pausing, rescheduling
from app.services import account_sets, due_times, slots
from app.services.slots import Waiting

_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Resumed:
    """How many clips wait again, and how many of them at a later time, since theirs has passed."""

    waiting: int
    moved: int


# One slot


def change(user: User, slot_id: int, weekday: int, minute: int) -> int:
    """To another day or time: what waits comes in the same week, or where that is too soon in the next ones, one after
    the other. Returns how many clips have moved. Raises NotFound, Problem.
    """
    if not (0 <= weekday < 7 and 0 <= minute < slots.MINUTES_A_DAY):
        raise Problem("slot_times_malformed", "times")
    lock_plan(user.id)
    slot = slots.get(user, slot_id)
    if (slot.weekday, slot.minute) == (weekday, minute):
        return 0
    account_set = account_sets.get(user, slot.account_set_id)
    if (weekday, minute) in {(one.weekday, one.minute) for one in account_set.slots}:
        raise Problem("slot_exists", "times")
    items = _movable(account_set, [slot])
    slot.weekday, slot.minute = weekday, minute
    db.session.flush()
    db.session.expire(account_set)
    used: set[datetime] = set()
    moved = 0
    for item in items:
        day = clock.to_zone(item.due_at, user.timezone).date()
        day += timedelta(days=weekday - day.weekday())
        while (at := slots.occurrence(day, minute, user.timezone)) < due_times.earliest() or at in used:
            day += _WEEK
        used.add(at)
        moved += _move(item, at, slot.id)
    return moved


def remove(user: User, slot_id: int) -> int:
    """What waits keeps its time, and no slot. Returns how many clips that are. Raises NotFound, Problem."""
    lock_plan(user.id)
    slot = slots.get(user, slot_id)
    account_set = account_sets.get(user, slot.account_set_id)
    items = _freed(account_set, [slot])
    db.session.execute(delete(Slot).where(Slot.id == slot.id))
    db.session.expire(account_set)
    return len(items)


def remove_set(user: User, account_set_id: int) -> int:
    """With its slots, as above."""
    lock_plan(user.id)
    account_set = account_sets.get(user, account_set_id)
    items = _freed(account_set, account_set.slots)
    for rows in (Slot, AccountSetMember):
        db.session.execute(delete(rows).where(rows.account_set_id == account_set.id))
    db.session.execute(delete(AccountSet).where(AccountSet.id == account_set.id))
    db.session.expire_all()
    return len(items)


def _freed(account_set: AccountSet, some: Sequence[Slot]) -> list[Waiting]:
    items = slots.waiting_in(some)
    if items and account_set.paused_at:
        raise Problem("queue_on_pause")  # without its slot it would go out, or its time has passed
    ids = [one.id for one in some]
    out = update(Publication).where(Publication.slot_id.in_(ids)).values(slot_id=None)
    db.session.execute(out.execution_options(synchronize_session=False))
    return items


# A pause


def pause(user: User, account_set_id: int) -> int:
    """Nothing that waits goes out until `resume`. Returns how many clips wait. Raises NotFound."""
    lock_plan(user.id)
    account_set = account_sets.get(user, account_set_id)
    if account_set.paused_at is None:
        account_set.paused_at = clock.now()
        db.session.flush()
        pausing.pause(account_set.id)
    return len(slots.waiting_in(account_set.slots))


def resume(user: User, account_set_id: int) -> Resumed:
    """What has missed its time goes to the next free slots, in its order. Raises NotFound."""
    lock_plan(user.id)
    account_set = account_sets.get(user, account_set_id)
    if account_set.paused_at is None:
        return Resumed(0, 0)
    account_set.paused_at = None
    db.session.flush()
    items = slots.waiting_in(account_set.slots)
    now = clock.now()
    missed = [one for one in items if one.due_at <= now]
    _into_next(user, account_set, missed, {one.due_at for one in items if one.due_at > now})
    pausing.resume(account_set.id)
    return Resumed(len(items), len(missed))


# The zone


def follow_zone(user: User, before: str) -> int:
    """After the user has moved to another zone than `before`: «10:00» is 10:00 there. Where that is too soon, a clip
    goes to the next free slot. Returns how many clips have moved.
    """
    moved = 0
    for account_set in account_sets.all_of(user):
        minutes = {one.id: one.minute for one in account_set.slots}
        items = _movable(account_set, account_set.slots)
        late: list[Waiting] = []
        used: set[datetime] = set()
        for item in items:
            day = clock.to_zone(item.due_at, before).date()
            at = slots.occurrence(day, minutes[item.slot_id], user.timezone)
            if at < due_times.earliest() or at in used:
                late.append(item)
            else:
                used.add(at)
                moved += _move(item, at, item.slot_id)
        moved += _into_next(user, account_set, late, used)
    return moved


# After an undo


def part(user: User, publication_ids: Collection[int]) -> None:
    """Of publications that an undo has brought back into their slots, those whose place another clip has taken
    meanwhile go to the next free one. Precondition: the plan is locked.
    """
    back = set(publication_ids)
    for account_set in account_sets.all_of(user):
        items = slots.waiting_in(account_set.slots)
        kept = {one.due_at: one.clip_id for one in items if not back.intersection(one.publication_ids)}
        apart = [
            one
            for one in items
            if back.intersection(one.publication_ids) and kept.get(one.due_at, one.clip_id) != one.clip_id
        ]
        _into_next(user, account_set, apart, {one.due_at for one in items})


# All of them


def _movable(account_set: AccountSet, some: Iterable[Slot]) -> list[Waiting]:
    """What is due now is going out, unless it is paused."""
    now = clock.now()
    return [one for one in slots.waiting_in(some) if account_set.paused_at or one.due_at > now]


def _into_next(user: User, account_set: AccountSet, items: Sequence[Waiting], used: Collection[datetime]) -> int:
    """However far ahead that is: none is left without a time."""
    just_before = due_times.earliest() - timedelta(microseconds=1)
    free = (one for one in slots.upcoming(account_set.slots, user.timezone, just_before) if one.due_at not in used)
    return sum(_move(item, to.due_at, to.slot_id) for item, to in zip(items, free, strict=False))


def _move(item: Waiting, due_at: datetime, slot_id: int) -> bool:
    """Whether any publication of it has moved. One that has its time already is left alone."""
    if (item.due_at, item.slot_id) == (due_at, slot_id):
        return False
    return bool(rescheduling.move_many(dict.fromkeys(item.publication_ids, (due_at, slot_id))))
