"""Giving a scheduled publication another due time, and taking that back.

What it had is kept as plain JSON with the undo. The fence says whether anything has happened to the row since: then it
is not taken back.
"""

from collections.abc import Mapping
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
    changes = waiting({number: to[number] for number in before})
    names = {number: change["due_at"].isoformat() for number, change in changes.items()}
    moved = state_machine.move_many(changes, Status.SCHEDULED, event="moved", names=names, **_FRESH)
    return [_kept(before[number]) for number in moved]


def _kept(row: Any) -> Kept:
    return {"id": row.id, "fence": row.fence + 1, "due_at": row.due_at.isoformat(), "slot_id": row.slot_id}


def restore(kept: Kept) -> bool:
    """To the time that it had, though that may be less than five minutes away by now. False where anything has happened
    to it since.
    """
    slot_id = select(Slot.id).where(Slot.id == kept["slot_id"]).scalar_subquery()  # it may be gone
    due_at = datetime.fromisoformat(kept["due_at"])
    return state_machine.move(
        kept["id"],
        Status.SCHEDULED,
        Publication.status == Status.SCHEDULED,
        Publication.fence == kept["fence"],
        event="moved",
        name=due_at.isoformat(),
        due_at=due_at,
        wake_at=pausing.wake_at(due_at, slot_id),
        slot_id=slot_id,
        **_FRESH,
    )
