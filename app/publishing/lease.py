"""Who works on a publication: a fence number and a lease, both in the row.

Every write of a worker carries the fence it got when it claimed the row. Once somebody else has claimed it,
or the user has cancelled, the fence is another and the write changes nothing: `LeaseLost` or `Cancelled`.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn

from sqlalchemy import ColumnElement, bindparam, select, update

from app import clock, process
from app.db import db, reading, retry_while_db_down, transaction
from app.models import Publication, Stage, Status, touch
from app.platform_access.lease_times import AFTER_DEADLINE, LEASE, LIFE_MARGIN, LONGEST_LEASE
from app.platforms.http.timeouts import UNACKNOWLEDGED_MS
from app.publishing import state_machine

# A row that is worked on is written to say so at most this often.
RENEW_SECONDS = 1.0

# Called with the moment until which this process may live, by clock.boottime().
SetDeadline = Callable[[float], None]

# A cancelled one is woken only to remove what it has left at the platform.
CLAIMABLE = (Status.SCHEDULED, Status.PUBLISHING, Status.CANCELLED)


class LeaseLost(Exception):
    """Somebody else works on the publication now; nothing of ours may be written."""


class Cancelled(LeaseLost):
    """The user has cancelled it."""


@dataclass
class Lease:
    """A claimed row. `live(deadline)` is told each time how long this process may go on living."""

    publication_id: int
    fence: int
    set_deadline: SetDeadline
    renewed_at: float = field(default_factory=clock.boottime)
    claimed_at: float = field(default_factory=clock.boottime)
    deadline: float = math.inf
    settled: bool = False  # published, with its receipt

    def where(self) -> tuple[Any, ...]:
        return (Publication.id == self.publication_id, Publication.fence == self.fence)

    def write(self, **values: Any) -> None:
        """Changes the row if it is still ours. Raises Cancelled or LeaseLost. Runs in the caller's transaction."""
        result = db.session.execute(
            update(Publication).where(*self.where()).values(**values).execution_options(synchronize_session=False)
        )
        if result.rowcount == 0:
            self.lost()

    def lost(self) -> NoReturn:
        status = db.session.scalar(select(Publication.status).where(Publication.id == self.publication_id))
        raise Cancelled if status == Status.CANCELLED else LeaseLost

    def renew(self, length: timedelta = LEASE, patience: float = math.inf, **values: Any) -> None:
        """Raises Cancelled or LeaseLost, and the database's error where it is away for longer than `patience`."""
        deadline, until = lease_term(length)

        def write() -> None:
            with transaction():
                self.write(lease_until=until, wake_at=until + AFTER_DEADLINE, **values)
                if values:
                    touch(self.publication_id)

        try:
            retry_while_db_down(write, patience)
        finally:
            self.renewed_at = clock.boottime()
        self.extend_to(deadline)

    def extend_to(self, deadline: float) -> None:
        self.deadline = deadline
        self.set_deadline(deadline)

    @contextmanager
    def outliving(self, length: timedelta) -> Iterator[None]:
        """For what is only written to the database: nothing reaches a platform, so the lease's end does not matter."""
        self.set_deadline(clock.boottime() + length.total_seconds())
        yield
        self.set_deadline(self.deadline)

    def is_fresh(self) -> bool:
        """Claimed or renewed so lately that once more would tell nobody anything: each costs a write."""
        return clock.boottime() - self.renewed_at < RENEW_SECONDS

    def release(
        self,
        wake_at: datetime,
        *,
        values: Mapping[str, Any],
        event: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Gives the row back until `wake_at`; with `event`, says so in its history."""

        def write() -> None:
            with transaction():
                given_back = {"lease_until": None, "queued_at": None, "sent": None, "total": None, "outage_since": None}
                self.write(wake_at=wake_at, **(given_back | values))
                if event:
                    name = values.get("reason")
                    state_machine.note(self.publication_id, event, status=Status.PUBLISHING, name=name, detail=detail)
                touch(self.publication_id)

        retry_while_db_down(write)


def lease_term(length: timedelta) -> tuple[float, datetime]:
    """This process's deadline and the end of a lease that begins now. The deadline is read off first and from a clock
    that is never set and counts a suspend: whatever happens in between, the process ends before its lease.
    """
    deadline = clock.boottime() + (length - LIFE_MARGIN).total_seconds()
    return deadline, clock.now() + length


def acquire(publication_id: int, set_deadline: SetDeadline, *where: ColumnElement[bool]) -> Lease | None:
    """Takes the row if it is due and nobody holds it; a second job for the same row gets None. The caller commits.

    `wake_at` of a held row is its lease's end, so one condition serves due times, retries, polls and dead workers.
    """
    deadline, until = lease_term(LEASE)
    due = (
        Publication.id == publication_id,
        Publication.status.in_(CLAIMABLE),
        Publication.wake_at <= clock.now(),
        *where,
    )
    # A row that somebody keeps locked is not waited for: the wake-up comes again.
    free = select(Publication.id).where(*due).with_for_update(skip_locked=True).scalar_subquery()
    row = db.session.execute(
        update(Publication)
        .where(Publication.id == free, *due)
        .values(
            fence=Publication.fence + 1,
            # A lease that is still there when the row wakes has run out: its worker died.
            crashes=Publication.crashes + db.case((Publication.lease_until.is_(None), 0), else_=1),
            lease_until=until,
            wake_at=until + AFTER_DEADLINE,
            holder=process.process_identity(os.getpid()),
            queued_at=None,
            stage=Stage.STARTING,
        )
        .returning(Publication.fence)
        .execution_options(synchronize_session=False)
    ).first()
    if row is None:
        return None
    lease = Lease(publication_id, row.fence, set_deadline)
    lease.extend_to(deadline)
    return lease


# Workers that did not get as far as giving back


# Also bounds the search, by the index on `wake_at`: what is further away is not held.
_ROWS = Publication.__table__
_HELD = (
    _ROWS.c.lease_until.is_not(None),
    _ROWS.c.holder.is_not(None),
    _ROWS.c.wake_at > bindparam("now"),
    _ROWS.c.wake_at <= bindparam("latest"),
)
# Without the ORM: see `heartbeats`.
_HELD_ROWS = select(_ROWS.c.id, _ROWS.c.holder).where(*_HELD)


def _while_held() -> dict[str, datetime]:
    now = clock.now()
    return {"now": now, "latest": now + LONGEST_LEASE + AFTER_DEADLINE}


def expire_leases_of_dead_workers() -> int:
    """Rows whose work horse on this machine is dead for certain need not wait for their lease to run out.

    Only bytes that the kernel still holds can reach the platform now, and those not for long. Answers how many.
    """
    with reading(), db.engine.connect() as connection:
        rows = connection.execute(_HELD_ROWS, _while_held()).all()
    return sum(expire_lease(row.id, row.holder) for row in rows if process.has_ended(row.holder))


def expire_lease(publication_id: int, holder: str) -> bool:
    now = clock.now()
    last_bytes = now + timedelta(milliseconds=UNACKNOWLEDGED_MS)
    in_doubt_until = db.case((Publication.in_doubt_until > last_bytes, last_bytes), else_=Publication.in_doubt_until)
    with transaction():
        return bool(
            db.session.execute(
                update(Publication)
                .where(
                    Publication.id == publication_id, Publication.holder == holder, Publication.lease_until.is_not(None)
                )
                .values(wake_at=now, in_doubt_until=in_doubt_until)
            ).rowcount
        )


def revoke_lease(pid: int) -> bool:
    """Takes its row from the work horse `pid` of this machine, which is to end. False while a commit is under way, or
    where it holds none.
    """
    with transaction():
        return bool(
            db.session.execute(
                update(_ROWS)
                .where(*_HELD, _ROWS.c.holder == process.process_identity(pid), _ROWS.c.commit_in_doubt.is_(None))
                .values(
                    fence=_ROWS.c.fence + 1,
                    lease_until=None,
                    wake_at=clock.now(),
                    queued_at=None,
                    stage=Stage.QUEUED,
                    sent=None,
                    total=None,
                ),
                _while_held(),
            ).rowcount
        )
