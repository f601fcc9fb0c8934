"""Who works on a publication: a fence number and a lease, both in the row.

Every write of a worker carries the fence it got when it claimed the row. Once somebody else has claimed it,
or the user has cancelled, the fence is another and the write changes nothing: `LeaseLost` or `Cancelled`.
"""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from app import clock
from app.extensions import db, transaction
from app.models import Publication, Stage, Status
from app.platforms.http import COMMIT_ANSWER_SECONDS, STALL_SECONDS, UNACKNOWLEDGED_MS
from app.publishing import transitions

# Outlasts any single call without progress (connect, a stalled send, a slow answer) with time to spare.
LEASE = timedelta(seconds=2 * STALL_SECONDS + 30)
COMMIT_LEASE = timedelta(seconds=COMMIT_ANSWER_SECONDS + 60)
# A work-horse ends itself this long before its lease does; the kernel may still hold bytes of it (TCP_USER_TIMEOUT).
LIFE_MARGIN = timedelta(seconds=25)
# What a dead worker's own clock and the database's may differ by.
AFTER_DEADLINE = timedelta(seconds=5)

Live = Callable[[float], None]

# A cancelled one is woken only to remove what it has left at the platform.
CLAIMABLE = (Status.SCHEDULED, Status.PUBLISHING, Status.CANCELLED)


class LeaseLost(Exception):
    """Somebody else works on the publication now; nothing of ours may be written."""


class Cancelled(LeaseLost):
    """The user has cancelled it."""


@dataclass
class Held:
    """A claimed row. `live(seconds)` sets how long this process may go on living."""

    publication_id: int
    fence: int
    live: Live

    def where(self) -> tuple[Any, ...]:
        return (Publication.id == self.publication_id, Publication.fence == self.fence)

    def write(self, **values: Any) -> None:
        """Changes the row if it is still ours. Raises Cancelled or LeaseLost. Runs in the caller's transaction."""
        result = db.session.execute(update(Publication).where(*self.where()).values(**values))
        if result.rowcount == 0:
            self.lost()

    def lost(self) -> None:
        status = db.session.scalar(select(Publication.status).where(Publication.id == self.publication_id))
        raise Cancelled if status == Status.CANCELLED else LeaseLost

    def renew(self, length: timedelta = LEASE, **values: Any) -> None:
        """Raises Cancelled or LeaseLost."""
        until = clock.now() + length
        with transaction():
            self.write(lease_until=until, wake_at=until + AFTER_DEADLINE, **values)
            if values:
                transitions.touch(self.publication_id)
        self.live((until - LIFE_MARGIN - clock.now()).total_seconds())

    def release(
        self,
        wake_at: datetime,
        *,
        values: Mapping[str, Any],
        event: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Gives the row back until `wake_at`; with `event`, says so in its history."""
        with transaction():
            self.write(lease_until=None, wake_at=wake_at, queued_at=None, sent=None, total=None, **values)
            if event:
                transitions.note(
                    self.publication_id, event, status=Status.PUBLISHING, name=values.get("reason"), detail=detail
                )
            transitions.touch(self.publication_id)


def claim(publication_id: int, live: Live) -> Held | None:
    """Takes the row if it is due and nobody holds it; a second job for the same row gets None.

    `wake_at` of a held row is its lease's end, so one condition serves due times, retries, polls and dead workers.
    """
    now = clock.now()
    until = now + LEASE
    with transaction():
        row = db.session.execute(
            update(Publication)
            .where(
                Publication.id == publication_id,
                Publication.status.in_(CLAIMABLE),
                Publication.wake_at <= now,
            )
            .values(
                fence=Publication.fence + 1,
                # A lease that is still there when the row wakes has run out: its worker died.
                crashes=Publication.crashes + db.case((Publication.lease_until.is_(None), 0), else_=1),
                lease_until=until,
                wake_at=until + AFTER_DEADLINE,
                holder=holder(),
                queued_at=None,
                stage=Stage.STARTING,
            )
            .returning(Publication.fence)
        ).first()
    if row is None:
        return None
    live((until - LIFE_MARGIN - clock.now()).total_seconds())
    return Held(publication_id, row.fence, live)


def holder(pid: int | None = None) -> str:
    return f"{socket.gethostname()}:{pid or os.getpid()}"


def bury(publication_id: int, pid: int) -> bool:
    """The work-horse `pid` of this machine is dead for certain: its row need not wait for the lease to run out.

    Only bytes that the kernel still holds can reach the platform now, and those not for long.
    """
    now = clock.now()
    last_bytes = now + timedelta(milliseconds=UNACKNOWLEDGED_MS)
    armed_until = db.case((Publication.armed_until > last_bytes, last_bytes), else_=Publication.armed_until)
    with transaction():
        return bool(
            db.session.execute(
                update(Publication)
                .where(
                    Publication.id == publication_id,
                    Publication.holder == holder(pid),
                    Publication.lease_until.is_not(None),
                )
                .values(wake_at=now, armed_until=armed_until)
            ).rowcount
        )
