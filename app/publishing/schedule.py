"""The tick: rows whose time has come get a wake-up in the queue, in fair order.

Due times, retries, polls and the leases of dead workers are all `wake_at`, so this one query is the scheduler and
the sweeper. A wake-up that was lost is sent again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from flask import current_app
from sqlalchemy import bindparam, func, or_, select, update

from app import clock
from app.extensions import db, reading, transaction
from app.models import Publication, Status
from app.publishing.lease import AFTER_DEADLINE, CLAIMABLE, LONGEST_LEASE

# Wake-ups are taken out in the order in which they were put in: one that is older than what waits longest has been
# taken out, and one that nobody has followed for so long was lost.
LOST_AFTER = timedelta(seconds=10)
# So many of a user's publications go first, a click on every platform; the rest go when nobody waits for his first.
FEW = 6
# How many of a user's for each worker: enough for a second, until the tick comes again; with more, whoever comes later
# would wait long for his seventh.
AHEAD = 5
# How many wake-ups may wait. The rest wait in the database.
MOST_WAITING = 2000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

# Told the ids that go first and those that go when nobody else waits; False where the queue is away.
Enqueue = Callable[[list[int], list[int]], bool]


def release_due(
    enqueue: Enqueue, waiting: int = 0, oldest: datetime | None = None, kept_since: datetime = _LONG_AGO
) -> int:
    """Marks what is due as queued and hands the ids to `enqueue`; answers how many.

    `waiting` wake-ups are in the queue now, the `oldest` since then; what was put in before `kept_since` is lost.

    A user has at most AHEAD rows for each worker in flight; the others wait here, so that no bulk starves another.
    """
    now = clock.now()
    lost_before = max(kept_since, min(oldest or now, now) - LOST_AFTER)
    unheard = or_(Publication.queued_at.is_(None), Publication.queued_at < lost_before)
    due = (Publication.status.in_(CLAIMABLE), Publication.wake_at <= now, unheard)
    with reading():
        places = _fair(due, now, lost_before, max(MOST_WAITING - waiting, 0))
    if not places:
        return 0
    with transaction():
        # One row that somebody keeps locked must not hold up all others.
        free = select(Publication.id).where(Publication.id.in_(places), *due).with_for_update(skip_locked=True)
        ids = list(
            db.session.scalars(
                update(Publication)
                .where(Publication.id.in_(free), *due)
                .values(queued_at=now)
                .returning(Publication.id)
            )
        )
    # RETURNING keeps no order.
    order = {publication_id: number for number, publication_id in enumerate(places)}
    ids.sort(key=order.__getitem__)
    if ids and not enqueue(*_lanes((publication_id, places[publication_id]) for publication_id in ids)):
        with transaction():
            _forget(ids)
        return 0
    return len(ids)


def _fair(due: tuple, now: datetime, lost_before: datetime, most: int) -> dict[int, int]:
    """Ids of due rows and each one's place among its user's: everybody's first, then everybody's second, up to the
    bound.
    """
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
    bound = _bound()
    rows = db.session.execute(
        select(ranked.c.id, ranked.c.user_id, ranked.c.place)
        .where(ranked.c.place <= bound)
        .order_by(ranked.c.place, ranked.c.wake_at)
        .limit(most)
    )
    places = ((row.id, row.place + in_flight[row.user_id]) for row in rows)
    return {publication_id: place for publication_id, place in places if place <= bound}


def _bound() -> int:
    return AHEAD * current_app.config["WORKERS"]


def _lanes(places: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
    few, many = [], []
    for publication_id, place in places:
        (few if place <= FEW else many).append(publication_id)
    return few, many


def release_now(user_id: int, ids: Sequence[int], enqueue: Enqueue) -> None:
    """For rows that the user has just begun, marked as queued: their wake-ups need not wait for the tick.

    Those beyond the user's bound do, and all where the queue is away.
    """
    under_way = select(func.count()).where(Publication.user_id == user_id, Publication.status == Status.PUBLISHING)
    before = max(db.session.scalar(under_way) - len(ids), 0)
    places = [(publication_id, before + number) for number, publication_id in enumerate(ids, start=1)]
    at_once = [one for one in places if one[1] <= _bound()]
    later = ids[len(at_once) :]
    if later:
        _forget(later)
    db.session.commit()  # before a worker is told: it would wait for SQLite's write lock
    if at_once and not enqueue(*_lanes(at_once)):
        _forget(ids)
        db.session.commit()


def _forget(ids: Sequence[int]) -> None:
    """Their wake-ups are not in the queue: the tick finds them. The caller commits."""
    db.session.execute(update(Publication).where(Publication.id.in_(ids)).values(queued_at=None))


# Without the ORM: see `heartbeats`.
_ROWS = Publication.__table__
_UNHEARD = (_ROWS.c.id == bindparam("publication"), _ROWS.c.queued_at <= bindparam("taken_at"))
_IS_UNHEARD = select(_ROWS.c.id).where(*_UNHEARD)
_SEND_AGAIN = update(_ROWS).where(*_UNHEARD).values(queued_at=None)


def wake_again(publication_id: int, taken_at: datetime) -> None:
    """The wake-up that was taken out of the queue at that moment has come to nothing if its worker died too early."""
    unheard = {"publication": publication_id, "taken_at": taken_at}
    with reading(), db.engine.connect() as connection:
        is_unheard = connection.execute(_IS_UNHEARD, unheard).first() is not None
    if is_unheard:
        with db.engine.begin() as connection:
            connection.execute(_SEND_AGAIN, unheard)
