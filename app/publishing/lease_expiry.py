"""Leases of workers that ended, or are to end, before they gave their row back."""

from datetime import timedelta

from sqlalchemy import ColumnElement, select, update

from app import clock
from app.db import db, reading, transaction
from app.models import Publication, Stage
from app.platform_access.lease_times import AFTER_DEADLINE, LONGEST_LEASE
from app.platforms.http.client import UNACKNOWLEDGED_MS
from app.process.identity import has_ended, process_identity


def _leased() -> tuple[ColumnElement[bool], ...]:
    """By the index on `wake_at`: what is further away is not leased."""
    now = clock.now()
    return (
        Publication.lease_until.is_not(None),
        Publication.holder.is_not(None),
        Publication.wake_at > now,
        Publication.wake_at <= now + LONGEST_LEASE + AFTER_DEADLINE,
    )


def expire_leases_of_dead_workers() -> int:
    """Rows whose work horse on this machine has certainly ended need not wait for their lease to run out.

    Only bytes that the kernel still holds can reach the platform now, and those not for long. Returns how many.
    """
    with reading():
        rows = db.session.execute(select(Publication.id, Publication.holder).where(*_leased())).all()
    return sum(expire_lease(row.id, row.holder) for row in rows if has_ended(row.holder))


def expire_lease(publication_id: int, holder: str) -> bool:
    now = clock.now()
    last_bytes = now + timedelta(milliseconds=UNACKNOWLEDGED_MS)
    in_doubt_until = db.case((Publication.in_doubt_until > last_bytes, last_bytes), else_=Publication.in_doubt_until)
    held = (Publication.id == publication_id, Publication.holder == holder, Publication.lease_until.is_not(None))
    with transaction():
        expired = update(Publication).where(*held).values(wake_at=now, in_doubt_until=in_doubt_until)
        return bool(db.session.execute(expired).rowcount)


def revoke_lease(pid: int) -> bool:
    """Takes its row from the work horse `pid` of this machine, which is to end. False while a commit is under way, or
    where it holds none.
    """
    revoked = (
        update(Publication)
        .where(*_leased(), Publication.holder == process_identity(pid), Publication.commit_in_doubt.is_(None))
        .values(
            fence=Publication.fence + 1,
            lease_until=None,
            wake_at=clock.now(),
            queued_at=None,
            stage=Stage.QUEUED,
            sent=None,
            total=None,
        )
    )
    with transaction():
        return bool(db.session.execute(revoked).rowcount)
