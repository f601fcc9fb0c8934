"""Which worker works on a publication: a fence number and a lease, both in the row.

Every write of a worker carries the fence it got when it claimed the row. Once another has claimed it, or the user has
cancelled, the fence is another and the write changes nothing: `LeaseLost` or `Cancelled`.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn

from flask import current_app
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import joinedload
from sqlalchemy.orm.attributes import set_committed_value

from app import clock
from app.db import db, durable, reading, retry_while_db_down, transaction
from app.models import ClipStatus, ConnectionStatus, Publication, Stage, Status, User, touch
from app.platform_access.lease_times import AFTER_DEADLINE, LEASE, LIFE_MARGIN
from app.platforms.errors import Refused
from app.process.identity import is_running, process_identity
from app.publishing import renditions, state_machine

# A lease is renewed at most this often: each time costs a write.
RENEW_SECONDS = 1.0

# A publication whose workers keep dying on it is given up; restarts of ours must not use this up.
MOST_CRASHES = 10

# Called with the moment until which this process may live, by clock.boottime().
SetDeadline = Callable[[float], None]

# A cancelled one wakes only to remove what it has left at the platform.
CLAIMABLE = (Status.SCHEDULED, Status.PUBLISHING, Status.CANCELLED)


class LeaseLost(Exception):
    """Another worker has the publication now; nothing of ours may be written."""


class Cancelled(LeaseLost):
    """The user has cancelled it."""


class ResumeAt(Exception):
    """Nothing to do before `at`: the worker is given back. Not a failure."""

    def __init__(self, at: datetime, stage: Stage) -> None:
        self.at, self.stage = at, stage


class AskUser(Exception):
    """The user has to finish it by hand: with this text, at this link, which is called so."""

    def __init__(self, text: str, link: str, label: str, how: str = "") -> None:
        self.text, self.link, self.label, self.how = text, link, label, how


@dataclass
class Lease:
    """A claimed row. `set_deadline` is called each time with the moment until which this process may live."""

    publication_id: int
    fence: int
    set_deadline: SetDeadline
    renewed_at: float = field(default_factory=clock.boottime)
    claimed_at: float = field(default_factory=clock.boottime)
    deadline: float = math.inf
    settled: bool = False  # published, with its receipt

    def where(self) -> tuple[ColumnElement[bool], ...]:
        return Publication.id == self.publication_id, Publication.fence == self.fence

    def load(self) -> Publication:
        """The row as it is now."""
        return retry_while_db_down(reading()(lambda: read(*self.where()) or self.lost()))

    def write(self, *where: ColumnElement[bool], **values: Any) -> None:
        """Changes the row if it is still ours. Raises Cancelled or LeaseLost. Runs in the caller's transaction."""
        ours = update(Publication).where(*self.where(), *where).values(**values)
        if db.session.execute(ours.execution_options(synchronize_session=False)).rowcount == 0:
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

    def keep(self, **values: Any) -> None:
        """Renews the lease, unless it was claimed or renewed just now."""
        if clock.boottime() - self.renewed_at >= RENEW_SECONDS:
            self.renew(**values)

    def extend_to(self, deadline: float) -> None:
        self.deadline = deadline
        self.set_deadline(deadline)

    @durable
    def release(self, wake_at: datetime, event: str | None = None, **values: Any) -> None:
        """Gives the row back until `wake_at`; with `event`, its history has a line of it."""
        given_back = dict.fromkeys(("lease_until", "queued_at", "sent", "total", "outage_since"))
        self.write(wake_at=wake_at, **(given_back | values))
        if event:
            name, detail = values.get("reason"), values.get("detail")
            state_machine.note(self.publication_id, event, status=Status.PUBLISHING, name=name, detail=detail)
        touch(self.publication_id)


def claim_publication(
    publication_id: int, set_deadline: SetDeadline
) -> tuple[Lease, Publication, Refused | None] | None:
    """Claims the row and, where nothing stands in the way, starts it.

    What takes time is done before: writers queue for SQLite's one lock, and then it holds for as long as one UPDATE.
    """
    with reading():
        publication = read(Publication.id == publication_id)
        # A lease whose holder runs on this machine has not run out, even if the clock was set meanwhile: the kernel
        # ends a process before its lease does (`kill_self_at`). A stopped one is ended as it goes on.
        if publication is None or (publication.lease_until and publication.holder and is_running(publication.holder)):
            return None
        obstacle = _obstacle(publication)
        file = renditions.File()
        if not obstacle and publication.status != Status.CANCELLED:
            file = renditions.choose(publication)
            obstacle = file.obstacle
        db.session.expunge_all()
    with transaction():
        lease = acquire(publication_id, set_deadline, Publication.fence == publication.fence, **file.columns)
        if lease and publication.status == Status.SCHEDULED and not obstacle:
            _start(lease, publication)
    if file.columns:
        publication.sent_sha256 = file.columns["sent_sha256"]
        set_committed_value(publication, "rendition", file.rendition)
    return (lease, publication, obstacle) if lease else None


def _obstacle(publication: Publication) -> Refused | None:
    """What stands in the way of a publication whenever it is claimed."""
    # A lease that is still there has run out: its worker died.
    if publication.crashes + (publication.lease_until is not None) > MOST_CRASHES:
        return Refused("crashed")
    if publication.commit_in_doubt or publication.has_receipt:
        return None  # whatever has changed since, the clip may be public already: see it through
    if publication.connection is None:
        return Refused("disconnected")
    if publication.connection.status != ConnectionStatus.ACTIVE:
        return Refused("reconnect")
    if publication.clip is None or publication.clip.status != ClipStatus.READY:
        return Refused("clip_gone")
    if not db.session.get(User, publication.user_id).plan.allows(publication.platform):
        return Refused("plan")
    late = timedelta(minutes=current_app.config["LATE_MINUTES"])
    if publication.status == Status.SCHEDULED and clock.now() - publication.due_at > late:
        return Refused("missed")
    return None


def _start(lease: Lease, publication: Publication) -> None:
    now = clock.now()
    if not state_machine.move(publication.id, Status.PUBLISHING, *lease.where(), event="started", started_at=now):
        lease.lost()
    lease.fence += 1
    publication.started_at, publication.status = now, Status.PUBLISHING


def read(*where: ColumnElement[bool]) -> Publication | None:
    """The row with its clip and connection, detached from the session."""
    publication = db.session.scalars(
        select(Publication)
        .where(*where)
        .options(joinedload(Publication.clip), joinedload(Publication.connection), joinedload(Publication.rendition))
    ).first()
    db.session.expunge_all()
    return publication


def acquire(publication_id: int, set_deadline: SetDeadline, *where: ColumnElement[bool], **values: Any) -> Lease | None:
    """Takes the row if it is due and not leased, and writes `values`; a second job for the same row gets None. The
    caller commits.

    `wake_at` of a leased row is its lease's end, so one condition serves due times, retries, polls and dead workers.
    """
    deadline, until = lease_term(LEASE)
    claimable = (Publication.status.in_(CLAIMABLE), Publication.wake_at <= clock.now())
    due = (Publication.id == publication_id, *claimable, *where)
    # A row that is kept locked is not waited for: the wake-up comes again.
    free = select(Publication.id).where(*due).with_for_update(skip_locked=True).scalar_subquery()
    fence = db.session.scalar(
        update(Publication)
        .where(Publication.id == free, *due)
        .values(
            fence=Publication.fence + 1,
            # A lease that is still there when the row wakes has run out: its worker died.
            crashes=Publication.crashes + db.case((Publication.lease_until.is_(None), 0), else_=1),
            lease_until=until,
            wake_at=until + AFTER_DEADLINE,
            holder=process_identity(os.getpid()),
            queued_at=None,
            stage=Stage.STARTING,
            **values,
        )
        .returning(Publication.fence)
        .execution_options(synchronize_session=False)
    )
    if fence is None:
        return None
    lease = Lease(publication_id, fence, set_deadline)
    lease.extend_to(deadline)
    return lease


def lease_term(length: timedelta) -> tuple[float, datetime]:
    """This process's deadline and the end of a lease that begins now. The deadline is taken first, from a clock that is
    never set and counts a suspend: whatever happens in between, the process ends before its lease.
    """
    deadline = clock.boottime() + (length - LIFE_MARGIN).total_seconds()
    return deadline, clock.now() + length
