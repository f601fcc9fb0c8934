"""Giving a scheduled publication another due time, and taking that back.

What it had is kept as plain JSON with the undo. The fence says whether anything has happened to the row since: then it
is not taken back.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.db import db
from app.models import Publication, Slot, Status
from app.publishing import pausing, state_machine
from app.publishing.pausing import RESTART

# Of a publication that was moved, what it had before: JSON.
Kept = dict[str, Any]

_FRESH = RESTART | {"queued_at": None, "stage": None}

_COLUMNS = (Publication.due_at, Publication.slot_id, Publication.fence)


def waiting(some: Mapping[int, tuple[datetime, int | None]]) -> dict[int, dict[str, Any]]:
    """The columns of publications that wait, by what they are named by: each for its due time, in a slot or in none."""
    paused = pausing.paused({slot_id for _, slot_id in some.values() if slot_id})
    return {
        name: {"due_at": due_at, "wake_at": None if slot_id in paused else due_at, "slot_id": slot_id}
        for name, (due_at, slot_id) in some.items()
    }


def move_many(to: Mapping[int, tuple[datetime, int | None]]) -> list[Kept]:
    """What takes each of those back that were scheduled still. `to`: by id, the due time and the slot in which it waits
    from then on, if in any.
    """
    rows = select(Publication.id, *_COLUMNS).where(Publication.id.in_(to), Publication.status == Status.SCHEDULED)
    before = {row.id: row for row in db.session.execute(rows.order_by(Publication.id).with_for_update())}
    return [_kept(before[number]) for number in _move({number: to[number] for number in before})]


def _kept(row: Any) -> Kept:
    return {"id": row.id, "fence": row.fence + 1, "due_at": row.due_at.isoformat(), "slot_id": row.slot_id}


def restore_many(some: Sequence[Kept]) -> list[Kept]:
    """To the time that they had, though that may be less than five minutes away by now. Returns those that came back:
    not those to which anything has happened since.
    """
    kept = {one["id"]: one for one in some}
    rows = select(Publication.id, Publication.fence).where(Publication.id.in_(kept))
    fences = db.session.execute(rows.order_by(Publication.id).with_for_update())
    back = [kept[row.id] for row in fences if row.fence == kept[row.id]["fence"]]
    slots = {one["slot_id"] for one in back if one["slot_id"]}
    there = set(db.session.scalars(select(Slot.id).where(Slot.id.in_(slots))))
    to = {one["id"]: (one["due_at"], one["slot_id"] if one["slot_id"] in there else None) for one in back}
    moved = _move({number: (datetime.fromisoformat(at), slot_id) for number, (at, slot_id) in to.items()})
    return [kept[number] for number in moved]


def _move(to: Mapping[int, tuple[datetime, int | None]]) -> list[int]:
    """Ids of those that were scheduled still."""
    changes = waiting(to)
    names = {number: change["due_at"].isoformat() for number, change in changes.items()}
    return state_machine.move_many(changes, Status.SCHEDULED, event="moved", names=names, **_FRESH)
