"""Cancelling a publication, and taking that back.

What it was is kept as plain JSON with the undo. The fence says whether anything has happened to the row since: then it
is not taken back. Until the time for that is over, no worker removes what it has left at its platform.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select, update

from app import clock
from app.db import db
from app.models import LIVE, WITH_DELETED, Clip, PlatformConnection, Publication, Stage, Status, User, live_places
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

# What a restored one needs to know.
_PLACE = tuple(
    getattr(Publication, name) for name in ("id", "fence", "clip_id", "connection_id", "platform", "due_at", "slot_id")
)


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


def restore_many(some: Sequence[Kept]) -> list[Kept]:
    """As they were before the cancel: what was under way goes on. Returns those that came back: not those to which
    anything has happened since, and not where the plan does not include the platform any more.

    Precondition: the plan is locked, so that no other publication begins on the same accounts meanwhile.
    """
    kept = {one["id"]: one for one in some}
    cancelled = (
        select(*_PLACE, User)
        .join(User, User.id == Publication.user_id)
        .where(Publication.id.in_(kept), Publication.status == Status.CANCELLED)
        .order_by(Publication.id)
    )
    rows = db.session.execute(cancelled.with_for_update(of=Publication)).all()
    unchanged = [row for row in rows if row.fence == kept[row.id]["fence"]]
    back = [row for row in _with_their_place(unchanged, kept) if _is_planned(row, kept[row.id])]
    paused = pausing.paused({row.slot_id for row in back if row.slot_id})
    state_machine.take_back_many({row.id: _as_before(kept[row.id], row, row.slot_id in paused) for row in back})
    return [kept[row.id] for row in back]


def _with_their_place(rows: Sequence[Any], kept: Mapping[int, Kept]) -> list[Any]:
    """Those whose clip and account are there, and whose clip does not go there by another publication."""
    # With the clips' rows locked, which a deletion locks.
    clips = select(Clip.id, Clip.deleted_at).where(Clip.id.in_({row.clip_id for row in rows})).order_by(Clip.id)
    clips = clips.with_for_update(key_share=True).execution_options(**WITH_DELETED)
    gone_clips = {row.id for row in db.session.execute(clips) if row.deleted_at}
    accounts = {row.connection_id for row in rows}
    deleted = select(PlatformConnection.id).where(
        PlatformConnection.id.in_(accounts), PlatformConnection.deleted_at.is_not(None)
    )
    gone_accounts = set(db.session.scalars(deleted.execution_options(**WITH_DELETED)))
    taken = live_places({row.clip_id for row in rows})
    return [
        row
        for row in rows
        if row.clip_id not in gone_clips
        and row.connection_id not in gone_accounts
        and not (kept[row.id]["status"] in LIVE and (row.clip_id, row.connection_id) in taken)
    ]


def _is_planned(row: Any, kept: Kept) -> bool:
    """Not where it would wait for a platform that the plan does not include."""
    return kept["status"] != Status.SCHEDULED or row.User.plan.allows(row.platform)


def _as_before(kept: Kept, row: Any, is_paused: bool) -> dict[str, Any]:
    values = {name: kept[name] for name in ("status", *_OTHERS)} | {"withheld_at": None}
    values |= {name: datetime.fromisoformat(kept[name]) if kept[name] else None for name in _TIMES}
    status, now = Status(kept["status"]), clock.now()
    if status == Status.SCHEDULED:
        values |= {"wake_at": None if is_paused else row.due_at, "stage": None}
    elif status == Status.PUBLISHING and (
        kept["leased"] or values["wake_at"] is None or values["wake_at"] <= now or kept["stage"] == Stage.INCIDENT
    ):
        # The worker that had it has stopped. Or the incident that held it may be over: its end woke only the others.
        values |= {"wake_at": now, "stage": Stage.QUEUED}
    return values


def finish(kept: Kept) -> None:
    """It stays cancelled: what only its user could have answered leaves nothing to do for a worker."""
    if kept["status"] == Status.UNCONFIRMED:
        cancelled = select(Publication.id).where(
            Publication.id == kept["id"], Publication.status == Status.CANCELLED, Publication.fence == kept["fence"]
        )
        if db.session.scalar(cancelled):
            state_machine.erase_steps(kept["id"])
