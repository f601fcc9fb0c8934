"""Which status may follow which. Every change of a publication's status goes through `move()`, but for a cancel that is
taken back.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, update

from app import clock
from app.db import db
from app.models import (
    UNDO_TIME,
    Publication,
    PublicationEvent,
    PublicationStep,
    Status,
    record_event,
    record_events,
    touch,
    touch_all,
)
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
    moved = db.session.execute(
        update(Publication)
        .where(Publication.id == publication_id, Publication.status.in_(_sources(to)), *where)
        .values(status=to, fence=Publication.fence + 1, **(_fresh(to) | values))
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


def move_many(
    changes: Mapping[int, Mapping[str, Any]],
    to: Status,
    *where: ColumnElement[bool],
    event: str | None = None,
    names: Mapping[int, str | None] | None = None,
    **values: Any,
) -> list[int]:
    """The same for many, in as many statements as for a few; returns the ids of those that moved.

    `changes`: by id, what differs from one to the other; each has the same columns. `names`: of their lines.
    """
    here = Publication.id.in_(changes), Publication.status.in_(_sources(to)), *where
    locked = select(Publication.id).where(*here).order_by(Publication.id).with_for_update()
    ids = list(db.session.scalars(locked))
    if not ids:
        return []
    common = {"status": to, "fence": _ROWS.c.fence + 1} | _fresh(to) | values
    _update_each({one: changes[one] for one in ids}, common)
    if to in SETTLED:
        _settle_steps(ids, to)
    names = names or {}
    note_many([(one, event or to, to, names.get(one) or values.get("reason"), values.get("detail")) for one in ids])
    _record_many(db.session.execute(select(*_EVENT_COLUMNS).where(Publication.id.in_(ids))).all())
    touch_all(ids)
    return ids


def _settle_steps(ids: Sequence[int], to: Status) -> None:
    """As `move` does it for one."""
    with_steps = set(db.session.scalars(select(_STEPS.c.publication_id).where(_STEPS.c.publication_id.in_(ids))))
    if to != Status.CANCELLED:
        erase_steps_of(with_steps)
    elif with_steps:
        later = update(_ROWS).where(_ROWS.c.id.in_(with_steps)).values(wake_at=clock.now() + UNDO_TIME)
        db.session.execute(later)


def _sources(to: Status) -> list[Status]:
    return [status for status, targets in MOVES.items() if to in targets]


def _fresh(to: Status) -> dict[str, Any]:
    fresh = _AT_REST if to in SETTLED else {}
    return fresh | {"stats_due_at": cadence.first(clock.now())} if to == Status.PUBLISHED else fresh


def take_back_many(before: Mapping[int, Mapping[str, Any]]) -> None:
    """Cancelled publications are again what they were: `before`, by id, the columns, the same for each.

    Precondition: the caller has locked them. Their event is not the one with which the status begins: their user is not
    told once more.
    """
    if not before:
        return
    common = {"fence": _ROWS.c.fence + 1, "queued_at": None, "lease_until": None}
    _update_each(before, common)
    note_many([(one, "restored", Status(row["status"]), None, None) for one, row in before.items()])
    taken = db.session.execute(select(*_EVENT_COLUMNS).where(Publication.id.in_(before)))
    record_events([_event(one, "publication.restored") for one in taken])
    touch_all(list(before))


def _update_each(changes: Mapping[int, Mapping[str, Any]], common: Mapping[str, Any]) -> None:
    """One statement for all; `changes`: by id, each with the same columns."""
    own = {name: bindparam(f"own_{name}", type_=_ROWS.c[name].type) for name in next(iter(changes.values()))}
    each = [{"number": one} | {f"own_{name}": value for name, value in row.items()} for one, row in changes.items()]
    change = update(_ROWS).where(_ROWS.c.id == bindparam("number")).values({**common, **own})
    db.session.connection().execute(change, each)


def begin(made: Collection[Publication]) -> None:
    """The first line of history and the first event of publications that were just added."""
    lines = []
    for one in made:
        due = one.due_at.isoformat() if one.status == Status.SCHEDULED else None
        lines.append((one.id, "scheduled" if due else "created", Status(one.status), due, None))
    note_many(lines)
    _record_many(made)


def _record(publication: Any) -> None:
    """The event of the status that the publication, or a row of _EVENT_COLUMNS, has come to."""
    record_event(**_event(publication))


def _record_many(some: Collection[Any]) -> None:
    record_events([_event(one) for one in some])


def _event(publication: Any, kind: str | None = None) -> dict[str, Any]:
    facts = {name: getattr(publication, name) for name in ("platform", "title", "fence", "reason", "detail", "url")}
    return {
        "user_id": publication.user_id,
        "kind": kind or _EVENTS[publication.status],
        "data": facts | {"account": publication.account_name, "due_at": publication.due_at.isoformat()},
        "publication_id": publication.id,
        "clip_id": publication.clip_id,
        "connection_id": publication.connection_id,
    }


def store_step(publication_id: int, name: str, sealed_answer: bytes, kind: str, status: Status) -> None:
    """With a line of history; does nothing where the step is stored already."""
    stored = select(PublicationStep.id).filter_by(publication_id=publication_id, name=name)
    if db.session.scalar(stored) is None:
        db.session.add(PublicationStep(publication_id=publication_id, name=name, sealed_answer=sealed_answer))
        note(publication_id, kind, status=status, name=name)


def erase_steps(publication_id: int) -> None:
    db.session.execute(_ERASE_STEPS, {"publication": publication_id})


def erase_steps_of(publication_ids: Collection[int]) -> None:
    db.session.execute(delete(_STEPS).where(_STEPS.c.publication_id.in_(publication_ids)))


def note(publication_id: int, kind: str, *, status: Status, name: str | None = None, detail: str | None = None) -> None:
    """A line in the publication's history."""
    line = {"publication_id": publication_id, "kind": kind, "status": status, "name": name, "detail": detail}
    db.session.execute(_NOTE, line)


def note_many(lines: Sequence[tuple[int, str, Status, str | None, str | None]]) -> None:
    """Each with its publication's id, its kind, the status, its name and its detail."""
    columns = ("publication_id", "kind", "status", "name", "detail")
    if lines:
        db.session.execute(_NOTE, [dict(zip(columns, line, strict=True)) for line in lines])


_EVENT_COLUMNS = tuple(
    getattr(Publication, name)
    for name in ("id", "user_id", "clip_id", "connection_id", "status", "platform", "account_name", "title", "due_at")
    + ("fence", "reason", "detail", "url")
)

# Built once, and without the ORM: a worker holds SQLite's one write lock while a statement is put together.
_ROWS, _STEPS = Publication.__table__, PublicationStep.__table__
_NOTE = insert(PublicationEvent.__table__)
_ERASE_STEPS = delete(_STEPS).where(_STEPS.c.publication_id == bindparam("publication"))
