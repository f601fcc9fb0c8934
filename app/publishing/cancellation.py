"""Cancelling a publication, and taking that back.

What it was is kept as plain JSON with the undo. The fence says whether anything has happened to the row since: then it
is not taken back. Until the time for that is over, no worker removes what it has left at its platform.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.exc import IntegrityError

from app import clock
from app.db import db
from app.models import WITH_DELETED, Clip, PlatformConnection, Publication, Stage, Status
from app.publishing import pausing, state_machine

# A cancelled publication as it was: JSON.
Kept = dict[str, Any]

# What can be cancelled: it has not been handed to the platform, or waits for its user alone.
_CANCELLABLE = or_(
    Publication.status.in_((Status.AWAITING_USER, Status.FAILED)),
    and_(
        Publication.status.in_((Status.SCHEDULED, Status.PUBLISHING)),
        Publication.commit_in_doubt.is_(None),
        Publication.has_receipt.is_(False),
    ),
)
# What a cancel erases in the row.
_TIMES = ("wake_at", "in_doubt_until", "outage_since")
_OTHERS = ("reason", "detail", "stage", "ask", "commit_in_doubt", "fetched")
_COLUMNS = tuple(getattr(Publication, name) for name in ("status", "fence", "lease_until", *_TIMES, *_OTHERS))


def cancel(publication_id: int, reason: str | None = None) -> Kept | None:
    """What takes it back; None where it is too late, or not live."""
    row = db.session.execute(select(*_COLUMNS).where(Publication.id == publication_id).with_for_update()).one_or_none()
    if row is None:
        return None
    if row.status == Status.UNCONFIRMED:
        unconfirmed = Publication.status == Status.UNCONFIRMED
        if not state_machine.move(publication_id, Status.CANCELLED, unconfirmed, reason="left_unconfirmed"):
            return None
        # No clean-up at the platform: the clip may be public there, and deleting that is its owner's decision.
        db.session.execute(update(Publication).where(Publication.id == publication_id).values(wake_at=None))
    elif not state_machine.move(publication_id, Status.CANCELLED, _CANCELLABLE, reason=reason):
        return None
    leased = row.lease_until is not None
    kept: Kept = {"id": publication_id, "status": row.status, "fence": row.fence + 1, "leased": leased}
    kept |= {name: getattr(row, name) for name in _OTHERS}
    return kept | {name: at.isoformat() if (at := getattr(row, name)) else None for name in _TIMES}


def restore(kept: Kept) -> bool:
    """As it was before the cancel: what was under way goes on. False where anything has happened to it since."""
    values = {name: kept[name] for name in _OTHERS}
    values |= {name: datetime.fromisoformat(kept[name]) if kept[name] else None for name in _TIMES}
    status, now = Status(kept["status"]), clock.now()
    if status == Status.SCHEDULED:
        values |= {"wake_at": pausing.wake_at(Publication.due_at, Publication.slot_id), "stage": None}
    elif status == Status.PUBLISHING and (kept["leased"] or values["wake_at"] is None or values["wake_at"] <= now):
        # The worker that had it has stopped.
        values |= {"wake_at": now, "stage": Stage.QUEUED}
    try:
        with db.session.begin_nested() as savepoint:
            restored = state_machine.take_back(kept["id"], status, kept["fence"], **values)
            if restored and _is_deleted(kept["id"]):
                savepoint.rollback()
                return False
            return restored
    except IntegrityError:
        return False  # the clip goes to the same account by another publication by now


def _is_deleted(publication_id: int) -> bool:
    """Whether its clip or account has been deleted since. Asked with the clip's row locked, which a deletion locks."""
    deleted = or_(Clip.deleted_at.is_not(None), PlatformConnection.deleted_at.is_not(None))
    found = (
        select(Publication.id)
        .outerjoin(Clip, Clip.id == Publication.clip_id)
        .outerjoin(PlatformConnection, PlatformConnection.id == Publication.connection_id)
        .where(Publication.id == publication_id, deleted)
    )
    return db.session.scalar(found.execution_options(**WITH_DELETED)) is not None


def finish(kept: Kept) -> None:
    """It stays cancelled: what only its user could have answered leaves nothing to do for a worker."""
    if kept["status"] == Status.UNCONFIRMED:
        cancelled = select(Publication.id).where(
            Publication.id == kept["id"], Publication.status == Status.CANCELLED, Publication.fence == kept["fence"]
        )
        if db.session.scalar(cancelled):
            state_machine.erase_steps(kept["id"])
