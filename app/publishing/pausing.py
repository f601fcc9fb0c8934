"""A paused account set: what waits in its slots has no `wake_at`, so that neither the tick nor a worker finds it.

Whoever calls has locked the plan of the user (`models.lock_plan`): a publication that comes into a slot at the same
moment would otherwise miss the pause, or its end.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, exists, insert, literal, null, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.db import db
from app.models import AccountSet, Clip, Publication, PublicationEvent, Slot, Status
from app.models.types import UTCDateTime

# A worker that has claimed it, but not begun, loses it.
RESTART = {"lease_until": None, "attempt": 0, "crashes": 0, "reason": None, "detail": None}


def wake_at(due_at: datetime | InstrumentedAttribute[datetime], slot_id: Any) -> ColumnElement[datetime]:
    """When a publication with that due time wakes: never while the set of its slot is paused."""
    paused = exists().where(Slot.id == slot_id, AccountSet.id == Slot.account_set_id, AccountSet.paused_at.is_not(None))
    awake = literal(due_at, UTCDateTime()) if isinstance(due_at, datetime) else due_at
    return case((paused, null()), else_=awake)


def paused(slot_ids: Collection[int]) -> set[int]:
    """Those of the slots whose set is paused."""
    if not slot_ids:
        return set()
    of_paused = select(Slot.id).join(AccountSet, AccountSet.id == Slot.account_set_id)
    return set(db.session.scalars(of_paused.where(Slot.id.in_(slot_ids), AccountSet.paused_at.is_not(None))))


def pause(account_set_id: int) -> int:
    """Returns how many publications wait from now on. What a worker has begun goes on."""
    return _change(account_set_id, "paused", wake_at=None)


def resume(account_set_id: int) -> int:
    return _change(account_set_id, "resumed", wake_at=Publication.due_at)


def _change(account_set_id: int, event: str, **values: Any) -> int:
    slots = select(Slot.id).where(Slot.account_set_id == account_set_id)
    waiting = (Publication.slot_id.in_(slots), Publication.status == Status.SCHEDULED)
    # All at once and in one order, before any clip's row is changed: a worker locks a publication first, its clip then.
    ids = db.session.scalars(select(Publication.id).where(*waiting).order_by(Publication.id).with_for_update()).all()
    if not ids:
        return 0
    changed = db.session.execute(
        update(Publication)
        .where(Publication.id.in_(ids))
        .values(fence=Publication.fence + 1, queued_at=None, stage=None, **RESTART, **values)
        .returning(Publication.clip_id)
        .execution_options(synchronize_session=False)
    ).scalars()
    clips = update(Clip).where(Clip.id.in_(set(changed))).values(version=Clip.version + 1)
    db.session.execute(clips.execution_options(synchronize_session=False))
    lines = [{"publication_id": one, "kind": event, "status": Status.SCHEDULED} for one in ids]
    db.session.execute(insert(PublicationEvent), lines)
    return len(ids)
