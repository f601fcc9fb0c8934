"""Giving a scheduled publication another due time, and taking that back.

What it had is kept as plain JSON with the undo. The fence says whether anything has happened to the row since: then it
is not taken back.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select

from app.db import db
from app.models import Publication, Slot, Status
from app.publishing import pausing, state_machine
from app.publishing.pausing import RESTART

# Of a publication that was moved, what it had before: JSON.
Kept = dict[str, Any]

_COLUMNS = (Publication.due_at, Publication.slot_id, Publication.fence)


def waiting(due_at: datetime, slot_id: Any = None) -> dict[str, Any]:
    """The columns of a publication that waits for its due time, in a slot or in none."""
    wake_at = due_at if slot_id is None else pausing.wake_at(due_at, slot_id)
    return {"due_at": due_at, "wake_at": wake_at, "slot_id": slot_id}


def move(publication_id: int, due_at: datetime, slot_id: int | None = None) -> Kept | None:
    """What takes it back; None where it is not scheduled any more. By default it waits in no slot from then on."""
    row = db.session.execute(select(*_COLUMNS).where(Publication.id == publication_id).with_for_update()).one_or_none()
    if row is None or not _move(publication_id, due_at, slot_id):
        return None
    return {"id": publication_id, "fence": row.fence + 1, "due_at": row.due_at.isoformat(), "slot_id": row.slot_id}


def restore(kept: Kept) -> bool:
    """To the time that it had, though that may be less than five minutes away by now. False where anything has happened
    to it since.
    """
    slot_id = select(Slot.id).where(Slot.id == kept["slot_id"]).scalar_subquery()  # it may be gone
    untouched = Publication.fence == kept["fence"]
    return _move(kept["id"], datetime.fromisoformat(kept["due_at"]), slot_id, untouched)


def _move(publication_id: int, due_at: datetime, slot_id: Any, *where: ColumnElement[bool]) -> bool:
    return state_machine.move(
        publication_id,
        Status.SCHEDULED,
        Publication.status == Status.SCHEDULED,
        *where,
        event="moved",
        name=due_at.isoformat(),
        queued_at=None,
        stage=None,
        **waiting(due_at, slot_id),
        **RESTART,
    )
