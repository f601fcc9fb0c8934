"""Leases of workers that ended, or are to end, before they gave their row back."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update

from app import clock
from app.db import db, reading, transaction
from app.models import Publication, Stage
from app.platform_access.lease_times import AFTER_DEADLINE, LONGEST_LEASE
from app.platforms.http.timeouts import UNACKNOWLEDGED_MS
from app.process.identity import has_ended, process_identity

# Built once and without the ORM: of that, each idle worker would copy 3 MB into memory of its own.
_ROWS = Publication.__table__
# By the index on `wake_at`: what is further away is not leased.
_LEASED = (
    _ROWS.c.lease_until.is_not(None),
    _ROWS.c.holder.is_not(None),
    _ROWS.c.wake_at > bindparam("now"),
    _ROWS.c.wake_at <= bindparam("latest"),
)
_LEASED_ROWS = select(_ROWS.c.id, _ROWS.c.holder).where(*_LEASED)


def _now() -> dict[str, datetime]:
    now = clock.now()
    return {"now": now, "latest": now + LONGEST_LEASE + AFTER_DEADLINE}


def expire_leases_of_dead_workers() -> int:
    """Rows whose work horse on this machine has certainly ended need not wait for their lease to run out.

    Only bytes that the kernel still holds can reach the platform now, and those not for long. Returns how many.
    """
    with reading(), db.engine.connect() as connection:
        rows = connection.execute(_LEASED_ROWS, _now()).all()
    return sum(_expire_lease(row.id, row.holder) for row in rows if has_ended(row.holder))


def _expire_lease(publication_id: int, holder: str) -> bool:
    now = clock.now()
    last_bytes = now + timedelta(milliseconds=UNACKNOWLEDGED_MS)
    in_doubt_until = db.case((Publication.in_doubt_until > last_bytes, last_bytes), else_=Publication.in_doubt_until)
    held = (Publication.id == publication_id, Publication.holder == holder, Publication.lease_until.is_not(None))
    expired = update(Publication).where(*held).values(wake_at=now, in_doubt_until=in_doubt_until)
    with transaction():
        return bool(db.session.execute(expired).rowcount)


def revoke_lease(pid: int) -> bool:
    """Takes its row from the work horse `pid` of this machine, which is to end. False while a commit is under way, or
    where it holds none.
    """
    not_held = dict.fromkeys(("lease_until", "queued_at", "sent", "total"))
    revoked = (
        update(_ROWS)
        .where(*_LEASED, _ROWS.c.holder == process_identity(pid), _ROWS.c.commit_in_doubt.is_(None))
        .values(fence=_ROWS.c.fence + 1, wake_at=clock.now(), stage=Stage.QUEUED, **not_held)
    )
    with transaction():
        return bool(db.session.execute(revoked, _now()).rowcount)
