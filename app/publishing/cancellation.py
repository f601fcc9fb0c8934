"""Cancelling a publication, and taking that back.

What it was is kept as plain JSON with the undo. The fence says whether anything has happened to the row since: then it
is not taken back. Until the time for that is over, no worker removes what it has left at its platform.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.exc import IntegrityError

from app import clock
from app.db import db
from app.models import WITH_DELETED, Clip, PlatformConnection, Publication, Stage, Status, User
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
    return next(iter(cancel_many([publication_id], reason)), None)


def cancel_many(publication_ids: Collection[int], reason: str | None = None) -> list[Kept]:
    """What takes back each of those that were live and could be cancelled, in the order of their ids."""
    rows = select(Publication.id, *_COLUMNS).where(Publication.id.in_(publication_ids))
    before = {row.id: row for row in db.session.execute(rows.order_by(Publication.id).with_for_update())}
    asking = {number: {} for number, row in before.items() if row.status == Status.UNCONFIRMED}
    left = state_machine.move_many(asking, Status.CANCELLED, reason="left_unconfirmed")
    if left:
        # No clean-up at the platform: the clip may be public there, and deleting that is its owner's decision.
        db.session.execute(update(Publication).where(Publication.id.in_(left)).values(wake_at=None))
    others = {number: {} for number in before.keys() - asking.keys()}
    cancelled = state_machine.move_many(others, Status.CANCELLED, _CANCELLABLE, reason=reason)
    return [_kept(before[number]) for number in sorted([*left, *cancelled])]


def _kept(row: Any) -> Kept:
    leased = row.lease_until is not None
    kept: Kept = {"id": row.id, "status": row.status, "fence": row.fence + 1, "leased": leased}
    kept |= {name: getattr(row, name) for name in _OTHERS}
    return kept | {name: at.isoformat() if (at := getattr(row, name)) else None for name in _TIMES}


def restore(kept: Kept) -> bool:
    """As it was before the cancel: what was under way goes on. False where anything has happened to it since, or where
    the plan does not include its platform any more.
    """
    values = {name: kept[name] for name in _OTHERS} | {"withheld_at": None}
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
            if restored and (_is_deleted(kept["id"]) or _is_planned_in_vain(kept["id"])):
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


def _is_planned_in_vain(publication_id: int) -> bool:
    """Whether it is scheduled on a platform that the plan, which the caller holds, does not include."""
    scheduled = select(User, Publication.platform).join_from(Publication, User, User.id == Publication.user_id)
    row = db.session.execute(
        scheduled.where(Publication.id == publication_id, Publication.status == Status.SCHEDULED)
    ).one_or_none()
    return row is not None and not row.User.plan.allows(row.platform)


def finish(kept: Kept) -> None:
    """It stays cancelled: what only its user could have answered leaves nothing to do for a worker."""
    if kept["status"] == Status.UNCONFIRMED:
        cancelled = select(Publication.id).where(
            Publication.id == kept["id"], Publication.status == Status.CANCELLED, Publication.fence == kept["fence"]
        )
        if db.session.scalar(cancelled):
            state_machine.erase_steps(kept["id"])
