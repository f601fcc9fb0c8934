"""What happened, and reading it: each consumer has a cursor, and handles each event once and in order."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, and_, delete, func, insert, or_, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db, reading, transaction
from app.models.types import CLOCK_MARGIN, JSON, Id, String, UTCDateTime

KEPT = timedelta(days=30)
# Of a consumer that no longer reads.
KEPT_UNREAD = timedelta(days=90)
# PostgreSQL ends a session that is idle in its transaction after 20 s, and a wait for a lock after 10 s.
LONGEST_TRANSACTION = timedelta(seconds=60)
_BATCH = 500
_SWEEP_BATCH = 1000


class Event(db.Model):
    """What happened, written in the transaction that changes the state. Consumers read it with a cursor each.

    The ids of its subjects are no foreign keys, and `data` has what a consumer needs of them: an event is still read
    when its clip or account is gone. It goes with its user.
    """

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(32))  # "publication.failed"
    publication_id: Mapped[int | None] = mapped_column(Id)
    clip_id: Mapped[int | None] = mapped_column(Id)
    connection_id: Mapped[int | None] = mapped_column(Id)
    data: Mapped[dict] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    # SQLite would give the id of a deleted last row to the next one, which cursors have passed.
    __table_args__ = {"sqlite_autoincrement": True}


class EventCursor(db.Model):
    """How far a consumer has read."""

    __tablename__ = "event_cursors"

    consumer: Mapped[str] = mapped_column(String(32), primary_key=True)
    last_event_id: Mapped[int] = mapped_column(Id)


# Built once and without the ORM: a worker holds SQLite's one write lock while a statement is put together.
_INSERT = insert(Event.__table__)


def record_event(
    user_id: int,
    kind: str,
    data: dict[str, Any],
    *,
    publication_id: int | None = None,
    clip_id: int | None = None,
    connection_id: int | None = None,
) -> None:
    """The caller commits it together with the change."""
    row = {"user_id": user_id, "kind": kind, "data": data}
    subjects = {"publication_id": publication_id, "clip_id": clip_id, "connection_id": connection_id}
    db.session.execute(_INSERT, row | subjects)


def record_events(rows: Sequence[Mapping[str, Any]]) -> None:
    """Many at once; each has what `record_event` takes."""
    if rows:
        db.session.execute(_INSERT, rows)


def consume(consumer: str, handle: Callable[[Sequence[Event]], None], *, from_end: bool = False) -> None:
    """Calls `handle` with the next batch of events and moves the cursor, in one transaction.

    A new consumer begins at the first event, or `from_end` after the last one. Does nothing while another process reads
    for the same consumer. What `handle` raises is raised here: the batch is read again.
    """
    with reading():
        newest = select(func.max(Event.id)).scalar_subquery()
        found = db.session.execute(
            select(EventCursor.last_event_id, newest).where(EventCursor.consumer == consumer)
        ).one_or_none()
    if found is None:
        _begin(consumer, from_end)
    elif found[1] is None or found[1] <= found[0]:
        return  # without SQLite's write lock
    with transaction():
        if db.engine.dialect.name == "postgresql":
            # Shorter than the time after which PostgreSQL ends one of two transactions that wait for each other: it is
            # this one that gives way and is done again, not a user's.
            db.session.execute(text("SET LOCAL lock_timeout = '500ms'"))
        cursor = db.session.scalar(
            select(EventCursor).where(EventCursor.consumer == consumer).with_for_update(skip_locked=True)
        )
        if cursor and (events := _next_events(cursor.last_event_id)):
            cursor.last_event_id = events[-1].id
            handle(events)


def _begin(consumer: str, from_end: bool) -> None:
    with suppress(IntegrityError), transaction():  # another process was faster
        last = db.session.scalar(select(func.max(Event.id))) if from_end else None
        db.session.add(EventCursor(consumer=consumer, last_event_id=last or 0))


def _next_events(last_id: int) -> list[Event]:
    """A missing id may belong to a transaction that is not committed yet (or was rolled back, or its user is deleted).

    The event after it was written later. Once that is older than any transaction lasts, the missing one never comes.
    """
    now = clock.now()
    events: list[Event] = []
    for event in db.session.scalars(select(Event).where(Event.id > last_id).order_by(Event.id).limit(_BATCH)):
        # A time ahead of `now` was written by a wrong clock.
        if event.id != last_id + 1 and now - LONGEST_TRANSACTION < event.at <= now + CLOCK_MARGIN:
            break
        events.append(event)
        last_id = event.id
    return events


def sweep() -> None:
    """Deletes old events that every consumer has read."""
    now, swept = clock.now(), _SWEEP_BATCH
    oldest = select(Event.id).order_by(Event.id).limit(_SWEEP_BATCH)
    read_by_all = select(func.min(EventCursor.last_event_id)).scalar_subquery()
    old = or_(and_(Event.at < now - KEPT, Event.id <= read_by_all), Event.at < now - KEPT_UNREAD)
    batch = delete(Event).where(Event.id.in_(oldest), old).execution_options(synchronize_session=False)
    while swept == _SWEEP_BATCH:
        with transaction():
            swept = db.session.execute(batch).rowcount
