"""Background processes: each writes a heartbeat into the database every few seconds."""

import os
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from flask import current_app
from sqlalchemy import Executable, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.db import db
from app.models import Heartbeat
from app.process.identity import process_identity

log = structlog.get_logger(__name__)

EVERY = timedelta(seconds=10)
# More than three missed beats: a busy database does not make workers seem dead.
ALIVE = timedelta(seconds=45)
KEPT = timedelta(days=1)

KINDS = ("worker", "spare", "probe", "import", "media", "scheduler", "ticks")


def _beat(insert: Callable) -> Executable:
    """Built once, and without the ORM, of which an idle worker would copy 6 MB into memory of its own."""
    row = insert(Heartbeat.__table__)
    return row.on_conflict_do_update(index_elements=["name"], set_={"seen_at": row.excluded.seen_at})


_BEATS = {"sqlite": _beat(sqlite.insert), "postgresql": _beat(postgresql.insert)}


class Pulse:
    """The heartbeat of this process, on a connection of its own: part of no unit of work. A fork's calls do nothing."""

    def __init__(self, kind: str) -> None:
        self._kind, self._pid, self._started_at = kind, os.getpid(), clock.now()
        self._next: datetime | None = None

    def beat(self) -> None:
        """To be called often: writes at most every EVERY. A process outlives a database that is away."""
        now = clock.now()
        if os.getpid() != self._pid or (self._next and self._next - EVERY <= now < self._next):
            return
        self._next = now + EVERY
        row = {
            "name": process_identity(self._pid),
            "kind": self._kind,
            "opens_tokens": current_app.extensions["vault"].can_open,
            "started_at": self._started_at,
            "seen_at": now,
        }
        self._write(_BEATS[db.engine.dialect.name], row)

    def stop(self) -> None:
        """The process ends as it should: it is not missing."""
        self._write(delete(Heartbeat.__table__).where(Heartbeat.name == process_identity(os.getpid())))

    def _write(self, statement: Executable, row: dict | None = None) -> None:
        try:
            with db.engine.begin() as connection:
                connection.execute(statement, row)
        except SQLAlchemyError as error:
            log.warning("heartbeat was not written", error=type(error).__name__)


def alive() -> list[Heartbeat]:
    """Processes that were seen lately, workers first."""
    now = clock.now()
    seen = db.session.scalars(select(Heartbeat).where(Heartbeat.seen_at.between(now - ALIVE, now + ALIVE)))
    return sorted(seen, key=lambda beat: (KINDS.index(beat.kind), beat.started_at, beat.name))


def count() -> dict[str, int]:
    """Living processes by kind."""
    found = Counter(beat.kind for beat in alive())
    return {kind: found[kind] for kind in KINDS}


def sweep() -> None:
    """Deletes what was not seen for a day, and beats of a clock that was ahead: a living process writes anew."""
    now = clock.now()
    db.session.execute(delete(Heartbeat).where(~Heartbeat.seen_at.between(now - KEPT, now + ALIVE)))
