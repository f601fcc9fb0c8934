"""Who works in the background: each process tells the database every few seconds that it lives."""

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
from app.db import db, transaction
from app.models import Heartbeat
from app.process.identity import process_identity

log = structlog.get_logger(__name__)

EVERY = timedelta(seconds=10)
# Three beats missed and some more: a busy database does not make workers look dead.
ALIVE = timedelta(seconds=45)
KEPT = timedelta(days=1)

KINDS = ("worker", "spare", "probe", "scheduler", "ticks")


def _beat(insert: Callable) -> Executable:
    """Built once, and without the ORM: what an idle worker touches of that, 6 MB, it copies into memory of its own."""
    row = insert(Heartbeat.__table__)
    return row.on_conflict_do_update(index_elements=["name"], set_={"seen_at": row.excluded.seen_at})


_BEATS = {"sqlite": _beat(sqlite.insert), "postgresql": _beat(postgresql.insert)}


class Pulse:
    """The heartbeat of this process. A fork of it that calls is not heard: it is somebody else."""

    def __init__(self, kind: str) -> None:
        self._kind, self._pid, self._started_at = kind, os.getpid(), clock.now()
        self._next: datetime | None = None

    def beat(self) -> None:
        """To be called often: writes at most every EVERY. A database that is away is not this process's end."""
        now = clock.now()
        if os.getpid() != self._pid or (self._next and self._next - EVERY <= now < self._next):
            return
        self._next = now + EVERY
        try:
            with db.engine.begin() as connection:
                connection.execute(
                    _BEATS[db.engine.dialect.name],
                    {
                        "name": process_identity(os.getpid()),
                        "kind": self._kind,
                        "opens_tokens": current_app.extensions["vault"].can_open,
                        "started_at": self._started_at,
                        "seen_at": now,
                    },
                )
        except SQLAlchemyError as error:
            log.warning("heartbeat was not written", error=type(error).__name__)

    def stop(self) -> None:
        """It ends well: nobody need look for it."""
        try:
            with transaction():
                db.session.execute(delete(Heartbeat).where(Heartbeat.name == process_identity(os.getpid())))
        except SQLAlchemyError as error:
            log.warning("heartbeat was not removed", error=type(error).__name__)


def alive() -> list[Heartbeat]:
    """Those that were seen lately, workers first."""
    now = clock.now()
    seen = db.session.scalars(select(Heartbeat).where(Heartbeat.seen_at.between(now - ALIVE, now + ALIVE)))
    return sorted(seen, key=lambda one: (KINDS.index(one.kind), one.started_at, one.name))


def count() -> dict[str, int]:
    """How many of each kind live."""
    found = Counter(one.kind for one in alive())
    return {kind: found[kind] for kind in KINDS}


def sweep() -> None:
    """Forgets those that were not seen for a day, and beats of a clock that was ahead: a living process writes anew."""
    now = clock.now()
    with transaction():
        db.session.execute(delete(Heartbeat).where(~Heartbeat.seen_at.between(now - KEPT, now + ALIVE)))
