"""Bounds of the times in a publication's row. What lies beyond was written by a clock that was ahead, and would keep
the row asleep for as long: it is moved back to the bound.

Too early does no harm: a try that finds nothing to do waits anew, and every process that holds a lease ends by itself
(`kill_self_at`) within LONGEST_LEASE, however long its row has it.
"""

from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import ColumnElement, and_, case, literal, or_, select, update

from app import clock
from app.db import db, reading, transaction
from app.models import UNDER_WAY_SQL, UNDO_TIME, Publication, Stage, Status
from app.models.types import UTCDateTime
from app.platform_access.lease_times import AFTER_DEADLINE, LONGEST_LEASE
from app.platforms.errors import LONGEST_WAIT
from app.platforms.http.timeouts import UNACKNOWLEDGED_MS
from app.platforms.quota import LONGEST_DAY
from app.publishing.context import LONGEST_POLL
from app.publishing.lease import CLAIMABLE
from app.publishing.outcomes import LONGEST_OUTAGE_PAUSE, longest_incident_pause
from app.publishing.preparation import LOOK_AGAIN

_LAST_BYTES = timedelta(milliseconds=UNACKNOWLEDGED_MS)


def clamp() -> int:
    """Moves back what no right clock has written; returns how many rows."""
    now = clock.now()
    leased = Publication.lease_until.is_not(None)
    plain = and_(Publication.status == Status.SCHEDULED, ~leased)
    # The clocks of two processes differ by less than the margin, as does the time between reading two of them.
    late = and_(Publication.wake_at > now, Publication.wake_at > _latest(now + AFTER_DEADLINE, leased))
    beyond = (UNDER_WAY_SQL, Publication.status.in_(CLAIMABLE), or_(plain, late))
    with reading():
        ids = db.session.scalars(select(Publication.id).where(*beyond)).all()
    if not ids:
        return 0
    lease_end = _at(now + LONGEST_LEASE)
    sending_end = case((leased, lease_end), else_=_at(now + _LAST_BYTES))
    with transaction():
        return db.session.execute(
            update(Publication)
            .where(Publication.id.in_(ids), *beyond)
            .values(
                wake_at=case((plain, Publication.due_at), else_=_latest(now, leased)),
                lease_until=_earlier(Publication.lease_until, lease_end),
                in_doubt_until=_earlier(Publication.in_doubt_until, sending_end),
                queued_at=None,
            )
            .execution_options(synchronize_session=False)
        ).rowcount


def _latest(now: datetime, leased: ColumnElement[bool]) -> ColumnElement[datetime]:
    """The latest `wake_at` that a row may have now, by what it waits for."""
    lease_over = _at(now + LONGEST_LEASE + AFTER_DEADLINE)
    pauses = [now + timedelta(seconds=seconds) for seconds in current_app.config["RETRY_SECONDS"]]
    retry = Publication.stage == Stage.RETRY
    retries = [(and_(retry, Publication.attempt <= tries), _at(until)) for tries, until in enumerate(pauses, start=1)]
    return case(
        (leased, lease_over),
        (Publication.status == Status.CANCELLED, _at(now + UNDO_TIME)),
        (Publication.stage == Stage.CHECKING, lease_over),
        (Publication.stage == Stage.PROCESSING, _at(now + LONGEST_POLL)),
        (Publication.stage == Stage.PREPARING, _at(now + LOOK_AGAIN)),
        (Publication.stage == Stage.WAITING, _at(now + LONGEST_WAIT)),
        (Publication.stage == Stage.QUOTA, _at(now + LONGEST_DAY)),
        (Publication.stage == Stage.INCIDENT, _at(now + longest_incident_pause())),
        (Publication.stage.in_((Stage.STORAGE, Stage.OUTAGE)), _at(now + LONGEST_OUTAGE_PAUSE)),
        *retries,
        else_=_at(now),
    )


def _earlier(column: ColumnElement[datetime], latest: ColumnElement[datetime]) -> ColumnElement[datetime]:
    return case((column > latest, latest), else_=column)


def _at(moment: datetime) -> ColumnElement[datetime]:
    return literal(moment, UTCDateTime())
