"""Which status may follow which. Every change of a publication's status goes through `move()`, but for a cancel that is
taken back.
"""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, update

from app import clock
from app.db import db
from app.models import UNDO_TIME, Publication, PublicationEvent, PublicationStep, Status, record_event, touch
from app.statistics import cadence

S = Status

# failed and cancelled lead to published only by a receipt: a platform's response that came after all.
MOVES: dict[Status, frozenset[Status]] = {
    S.SCHEDULED: frozenset({S.SCHEDULED, S.PUBLISHING, S.CANCELLED, S.FAILED}),  # to itself: to another time
    S.PUBLISHING: frozenset({S.PUBLISHED, S.FAILED, S.UNCONFIRMED, S.AWAITING_USER, S.CANCELLED}),
    S.AWAITING_USER: frozenset({S.PUBLISHED, S.PUBLISHING, S.CANCELLED}),
    S.UNCONFIRMED: frozenset({S.PUBLISHED, S.PUBLISHING, S.CANCELLED}),
    S.PUBLISHED: frozenset(),
    S.FAILED: frozenset({S.PUBLISHING, S.CANCELLED, S.PUBLISHED}),
    S.CANCELLED: frozenset({S.PUBLISHED}),
}

SETTLED = frozenset({S.PUBLISHED, S.FAILED, S.CANCELLED})

# The kind of the event with which a status begins.
_EVENTS = {status: f"publication.{status}" for status in Status} | {S.PUBLISHING: "publication.started"}

# What a settled publication no longer has: no wake-up, no lease, nothing under way.
_AT_REST = dict.fromkeys(
    ("wake_at", "queued_at", "lease_until", "commit_in_doubt", "in_doubt_until")
    + ("stage", "sent", "total", "ask", "outage_since", "fetched")
)


def move(
    publication_id: int,
    to: Status,
    *where: ColumnElement[bool],
    event: str | None = None,
    name: str | None = None,
    **values: Any,
) -> bool:
    """One conditional UPDATE: True if the row was in a status that may lead to `to` and every `where` held.

    Adds a line of history and an event, erases the stored steps of what settles, and raises the fence: no worker's
    lease holds any more. The caller commits, and reads again what it had read. `event` and `name` are the line's, where
    they are not the status and the reason.
    """
    sources = [status for status, targets in MOVES.items() if to in targets]
    fresh = _AT_REST if to in SETTLED else {}
    if to == Status.PUBLISHED:
        fresh = fresh | {"stats_due_at": cadence.first(clock.now())}
    moved = db.session.execute(
        update(Publication)
        .where(Publication.id == publication_id, Publication.status.in_(sources), *where)
        .values(status=to, fence=Publication.fence + 1, **(fresh | values))
        .returning(*_EVENT_COLUMNS)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if moved is None:
        return False
    steps = select(PublicationStep.id).filter_by(publication_id=publication_id).limit(1)
    if to == Status.CANCELLED and db.session.scalar(steps):
        # What it has left at the platform is removed by a worker, which needs the steps for that: once it is too late
        # to take the cancel back.
        over = clock.now() + UNDO_TIME
        db.session.execute(update(Publication).where(Publication.id == publication_id).values(wake_at=over))
    elif to in SETTLED:
        erase_steps(publication_id)
    note(publication_id, event or to, status=to, name=name or values.get("reason"), detail=values.get("detail"))
    _record(moved)
    touch(publication_id)
    return True


def take_back(publication_id: int, to: Status, fence: int, **values: Any) -> bool:
    """A cancelled publication is again what it was; its cancel gave it `fence`. False where that is another by now.

    Its event is not the one with which the status begins: its user is not told once more.
    """
    taken = db.session.execute(
        update(Publication)
        .where(Publication.id == publication_id, Publication.status == Status.CANCELLED, Publication.fence == fence)
        .values(status=to, fence=Publication.fence + 1, queued_at=None, lease_until=None, **values)
        .returning(*_EVENT_COLUMNS)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if taken is None:
        return False
    note(publication_id, "restored", status=to)
    _record(taken, "publication.restored")
    touch(publication_id)
    return True


def begin(publication: Publication) -> None:
    """The first line of history and the first event of a publication that was just added."""
    name = publication.due_at.isoformat() if publication.status == Status.SCHEDULED else None
    note(publication.id, "scheduled" if name else "created", status=Status(publication.status), name=name)
    _record(publication)


def _record(publication: Any, kind: str | None = None) -> None:
    """The event, by default of the status that the publication, or a row of _EVENT_COLUMNS, has come to."""
    record_event(
        publication.user_id,
        kind or _EVENTS[publication.status],
        {name: getattr(publication, name) for name in ("platform", "title", "fence", "reason", "detail", "url")}
        | {"account": publication.account_name, "due_at": publication.due_at.isoformat()},
        publication_id=publication.id,
        clip_id=publication.clip_id,
        connection_id=publication.connection_id,
    )


def store_step(publication_id: int, name: str, sealed_answer: bytes, kind: str, status: Status) -> None:
    """With a line of history; does nothing where the step is stored already."""
    stored = select(PublicationStep.id).filter_by(publication_id=publication_id, name=name)
    if db.session.scalar(stored) is None:
        db.session.add(PublicationStep(publication_id=publication_id, name=name, sealed_answer=sealed_answer))
        note(publication_id, kind, status=status, name=name)


def erase_steps(publication_id: int) -> None:
    db.session.execute(_ERASE_STEPS, {"publication": publication_id})


def note(publication_id: int, kind: str, *, status: Status, name: str | None = None, detail: str | None = None) -> None:
    """A line in the publication's history."""
    line = {"publication_id": publication_id, "kind": kind, "status": status, "name": name, "detail": detail}
    db.session.execute(_NOTE, line)


_EVENT_COLUMNS = tuple(
    getattr(Publication, name)
    for name in ("id", "user_id", "clip_id", "connection_id", "status", "platform", "account_name", "title", "due_at")
    + ("fence", "reason", "detail", "url")
)

# Built once, and without the ORM: a worker holds SQLite's one write lock while a statement is put together.
_STEPS = PublicationStep.__table__
_NOTE = insert(PublicationEvent.__table__)
_ERASE_STEPS = delete(_STEPS).where(_STEPS.c.publication_id == bindparam("publication"))
