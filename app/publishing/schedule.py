"""The tick: rows whose time has come get a wake-up in the queue, in fair order.

Due times, retries, polls and the leases of dead workers are all `wake_at`, so this one query is the scheduler and
the sweeper. A wake-up that was lost is sent again.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flask import current_app
from sqlalchemy import func, or_, select, update

from app import clock
from app.extensions import db, transaction
from app.models import Publication
from app.publishing.lease import AFTER_DEADLINE, CLAIMABLE, LONGEST_LEASE

# A wake-up that nobody has followed for so long is taken for lost; where the queue is empty it can only just have been
# taken out.
LOST_AFTER = timedelta(seconds=30)
LOST_AFTER_EMPTY = timedelta(seconds=10)
# How many wake-ups for each worker may wait in the queue. The rest wait in the database, where they can be overtaken.
AHEAD = 4
_MOST_AT_ONCE = 2000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def release_due(enqueue: Callable[[list[int]], bool], waiting: int = 0, kept_since: datetime = _LONG_AGO) -> int:
    """Marks what is due as queued and hands the ids to `enqueue`; answers how many.

    `waiting` jobs are in the queue now, whose Redis remembers nothing of before `kept_since`.

    A user has at most WORKERS rows in flight; the others wait here, so that no bulk starves a single clip.
    """
    now = clock.now()
    lost_before = max(kept_since, now - (LOST_AFTER if waiting else LOST_AFTER_EMPTY))
    room = max(AHEAD * current_app.config["WORKERS"] - waiting, 0)
    unheard = or_(Publication.queued_at.is_(None), Publication.queued_at < lost_before)
    due = (Publication.status.in_(CLAIMABLE), Publication.wake_at <= now, unheard)
    with transaction():
        chosen = _fair(due, now, lost_before)[:room]
        # One row that somebody keeps locked must not hold up all others.
        free = select(Publication.id).where(Publication.id.in_(chosen), *due).with_for_update(skip_locked=True)
        ids = (
            list(
                db.session.scalars(
                    update(Publication)
                    .where(Publication.id.in_(free), *due)
                    .values(queued_at=now)
                    .returning(Publication.id)
                )
            )
            if chosen
            else []
        )
    # RETURNING keeps no order.
    ids.sort(key={publication_id: place for place, publication_id in enumerate(chosen)}.__getitem__)
    if ids and not enqueue(ids):
        with transaction():
            db.session.execute(update(Publication).where(Publication.id.in_(ids)).values(queued_at=None))
        return 0
    return len(ids)


def _fair(due: tuple, now: datetime, lost_before: datetime) -> list[int]:
    """Ids of due rows: everybody's first, then everybody's second, each user only up to the bound."""
    # Counted here: told to group by user, SQLite would go through the whole table in the users' order.
    in_flight = Counter(
        db.session.scalars(
            select(Publication.user_id).where(
                # What is queued is due, what is held wakes at its lease's end: the index on `wake_at` bounds it.
                Publication.wake_at <= now + LONGEST_LEASE + AFTER_DEADLINE,
                or_(Publication.queued_at >= lost_before, Publication.lease_until > now),
            )
        )
    )
    place = (
        func.row_number()
        .over(partition_by=Publication.user_id, order_by=(Publication.wake_at, Publication.id))
        .label("place")
    )
    ranked = select(Publication.id, Publication.user_id, Publication.wake_at, place).where(*due).subquery()
    bound = current_app.config["WORKERS"]
    rows = db.session.execute(
        select(ranked.c.id, ranked.c.user_id, ranked.c.place)
        .where(ranked.c.place <= bound)
        .order_by(ranked.c.place, ranked.c.wake_at)
        .limit(_MOST_AT_ONCE)
    )
    return [row.id for row in rows if row.place + in_flight[row.user_id] <= bound]


def wake_again(publication_id: int, taken_at: datetime) -> None:
    """The wake-up that was taken out of the queue at that moment has come to nothing: its worker died too early."""
    with transaction():
        db.session.execute(
            update(Publication)
            .where(Publication.id == publication_id, Publication.queued_at <= taken_at)
            .values(queued_at=None)
        )
