"""The tick: rows whose time has come get a wake-up in the queue, in fair order.

Due times, retries, polls and the leases of dead workers are all `wake_at`, so this one query is the scheduler and
the sweeper. A wake-up that was lost is sent again. The tick comes each second, and for each row at its moment
(`next_due`).
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from flask import current_app
from sqlalchemy import ColumnElement, and_, bindparam, case, exists, func, or_, select, update

from app import clock
from app.db import commit, db, reading, transaction
from app.models import Publication, PublicationStep, Stage, Status
from app.platform_access.lease_times import AFTER_DEADLINE, LONGEST_LEASE
from app.publishing.context import SINCE
from app.publishing.lease import CLAIMABLE

# A wake-up that is in no queue and that no worker has followed for so long was lost.
LOST_AFTER = timedelta(seconds=10)
# So many of a user's publications go first, a click on every platform; the rest go when no other user's first wait.
PRIORITY_SLOTS_PER_USER = 6
# How many of a user's for each worker: enough for a second, until the tick comes again; with more, users who come later
# would wait long for their seventh.
MAX_QUEUED_PER_WORKER = 5
# How many wake-ups may wait. The rest wait in the database.
MOST_WAITING = 2000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

# How far `next_due` looks ahead: past the next time that it is asked.
_AHEAD = timedelta(seconds=2)
# A row that has been due for less is on its way to the queue, or the tick came too early by another machine's clock.
_JUST_DUE = timedelta(seconds=0.5)
# Built once and without the ORM, of which the scheduler would copy 3 MB into memory of its own.
_ROWS = Publication.__table__
_NEXT_DUE = (
    select(_ROWS.c.wake_at)
    .where(_ROWS.c.wake_at.between(bindparam("after"), bindparam("latest")), _ROWS.c.queued_at.is_(None))
    .order_by(_ROWS.c.wake_at)
    .limit(1)
)
_EARLIEST = select(_ROWS.c.wake_at).where(_ROWS.c.wake_at.is_not(None)).order_by(_ROWS.c.wake_at).limit(1)

# Takes the ids that go first, and those that go when no others wait; False where the queue is away.
Enqueue = Callable[[list[int], list[int]], bool]

# The step that sends the file is called so by every adapter; one whose platform fetches the file has none.
_UPLOAD = "upload"
_SENT = exists().where(
    PublicationStep.publication_id == Publication.id,
    or_(PublicationStep.name == _UPLOAD, PublicationStep.name.endswith(SINCE, autoescape=True)),
)
# 1 where the next try sends no file: it polls the platform, confirms, or removes what is left there.
_BRIEF = case(
    (Publication.status == Status.SCHEDULED, 0),
    (Publication.status == Status.CANCELLED, 1),
    # It waits for its file: other publications of its user need not.
    (Publication.stage == Stage.PREPARING, 1),
    (or_(Publication.stage.in_((Stage.PROCESSING, Stage.CHECKING)), Publication.commit_in_doubt.is_not(None)), 1),
    (or_(Publication.has_receipt, _SENT), 1),
    else_=0,
)

# When each row's wake-up was last seen in the queue: a worker that takes one out has LOST_AFTER to follow it.
_seen: dict[int, datetime] = {}


def release_due(
    enqueue: Enqueue, waiting: int = 0, queued: Collection[int] = (), redis_epoch: datetime = _LONG_AGO
) -> int:
    """Marks what is due as queued and hands the ids to `enqueue`; returns how many.

    `waiting` wake-ups are in the queue now, for the rows `queued`; what was put in before `redis_epoch` is lost, unless
    it is among them.

    A user has at most MAX_QUEUED_PER_WORKER rows for each worker in flight; the others wait here, so that no bulk
    starves another. Those that send no file are counted apart, and go first however many they are: they take a moment.
    """
    now = clock.now()
    with reading():
        earliest = db.session.scalar(_EARLIEST)
        if earliest is None or earliest > now:
            return 0
        lost = _lost(now, queued, redis_epoch)
        unacknowledged = or_(Publication.queued_at.is_(None), lost)
        due = (Publication.status.in_(CLAIMABLE), Publication.wake_at <= now, unacknowledged)
        first = _fair(due, now, lost, max(MOST_WAITING - waiting, 0))
    if not first:
        return 0
    with transaction():
        # One row that is kept locked must not hold up all others.
        free = select(Publication.id).where(Publication.id.in_(first), *due).with_for_update(skip_locked=True)
        mark = update(Publication).where(Publication.id.in_(free), *due).values(queued_at=now)
        marked = set(db.session.scalars(mark.returning(Publication.id)))
    ids = [publication_id for publication_id in first if publication_id in marked]  # RETURNING keeps no order
    return len(ids) if ids and _hand_over(ids, first, enqueue) else 0


def next_due() -> datetime | None:
    """When the tick is wanted next, within the next seconds: where a row has just fallen due, at once."""
    now = clock.now()
    with reading(), db.engine.connect() as connection:
        return connection.scalar(_NEXT_DUE, {"after": now - _JUST_DUE, "latest": now + _AHEAD})


def _lost(now: datetime, queued: Collection[int], redis_epoch: datetime) -> ColumnElement[bool]:
    """Which rows are marked as queued though their wake-up is gone. A mark by a clock that was ahead does not count."""
    _seen.update(dict.fromkeys(queued, now))
    old = or_(Publication.queued_at < max(now - LOST_AFTER, redis_epoch), Publication.queued_at > now + AFTER_DEADLINE)
    gone = select(Publication.id, Publication.queued_at).where(
        Publication.status.in_(CLAIMABLE), Publication.wake_at <= now, old
    )
    missing = {row.id: row.queued_at for row in db.session.execute(gone) if row.id not in queued}
    for publication_id in _seen.keys() - missing.keys() - set(queued):
        del _seen[publication_id]
    lost = [
        one
        for one, queued_at in missing.items()
        if queued_at < redis_epoch or not now - LOST_AFTER < _seen.get(one, _LONG_AGO) <= now
    ]
    return and_(Publication.id.in_(lost[:MOST_WAITING]), old)


def _fair(due: tuple, now: datetime, lost: ColumnElement[bool], most: int) -> dict[int, bool]:
    """Ids of due rows, every user's first, then every user's second, up to the bound; and whether each goes first."""
    # Counted here: to group by user, SQLite would go through the whole table in the users' order.
    in_flight = Counter(
        db.session.execute(
            select(Publication.user_id, _BRIEF).where(
                # What is queued is due, what is leased wakes at its lease's end: the index on `wake_at` bounds it.
                Publication.wake_at <= now + LONGEST_LEASE + AFTER_DEADLINE,
                or_(and_(Publication.queued_at.is_not(None), ~lost), Publication.lease_until > now),
            )
        )
    )
    users, oldest_first = (Publication.user_id, _BRIEF), (Publication.wake_at, Publication.id)
    place = func.row_number().over(partition_by=users, order_by=oldest_first).label("place")
    columns = (Publication.id, Publication.user_id, Publication.wake_at, _BRIEF.label("brief"), place)
    ranked = select(*columns).where(*due).subquery()
    bound = MAX_QUEUED_PER_WORKER * current_app.config["WORKERS"]
    rows = db.session.execute(
        select(ranked.c.id, ranked.c.user_id, ranked.c.brief, ranked.c.place)
        .where(ranked.c.place <= bound)
        .order_by(ranked.c.place, ranked.c.wake_at)
        .limit(most)
    )
    places = ((row.id, row.brief, row.place + in_flight[row.user_id, row.brief]) for row in rows)
    return {one: bool(brief) or place <= PRIORITY_SLOTS_PER_USER for one, brief, place in places if place <= bound}


def _hand_over(ids: Sequence[int], first: Mapping[int, bool], enqueue: Enqueue) -> bool:
    """To the queue; what it has not taken, for whatever reason, is not marked as queued any more."""
    taken = False
    try:
        taken = enqueue([one for one in ids if first[one]], [one for one in ids if not first[one]])
    finally:
        if not taken:
            _forget(ids)
            commit()
    return taken


def release_now(user_id: int, ids: Sequence[int], enqueue: Enqueue) -> None:
    """For rows that the user has just begun, marked as queued: their wake-ups need not wait for the tick.

    To be called after the commit that began them (`after_commit`), in no transaction: it has its own. The rows beyond
    the user's bound wait for the tick, and all do where the queue is away.
    """
    under_way = select(func.count()).where(
        Publication.user_id == user_id, Publication.status == Status.PUBLISHING, _BRIEF == 0
    )
    before = max(db.session.scalar(under_way) - len(ids), 0)
    first = {publication_id: before + number <= PRIORITY_SLOTS_PER_USER for number, publication_id in enumerate(ids, 1)}
    within_bound = max(MAX_QUEUED_PER_WORKER * current_app.config["WORKERS"] - before, 0)
    at_once, later = ids[:within_bound], ids[within_bound:]
    if later:
        _forget(later)
    commit()  # before a worker starts: it would wait for SQLite's write lock
    if at_once:
        _hand_over(at_once, first, enqueue)


def seconds_until_due(publication_id: int) -> float | None:
    """Of one that a platform processes, or that is not due by this machine's clock though another has released it.
    None where it waits for anything else, or for nothing.
    """
    now = clock.now()
    processed = and_(Publication.status == Status.PUBLISHING, Publication.stage == Stage.PROCESSING)
    released_early = and_(Publication.queued_at.is_not(None), Publication.wake_at > now)
    with reading():
        wake_at = db.session.scalar(
            select(Publication.wake_at).where(
                Publication.id == publication_id,
                Publication.lease_until.is_(None),
                or_(processed, released_early),
            )
        )
    return None if wake_at is None else (wake_at - clock.now()).total_seconds()


def _forget(ids: Sequence[int]) -> None:
    """Their wake-ups are not in the queue: the tick finds them. The caller commits."""
    db.session.execute(update(Publication).where(Publication.id.in_(ids)).values(queued_at=None))


def requeue_unstarted(publication_id: int, taken_at: datetime) -> None:
    """The wake-up that was taken out of the queue at that moment has come to nothing if its worker died too early."""
    unacknowledged = (Publication.id == publication_id, Publication.queued_at <= taken_at)
    with reading():
        if db.session.scalar(select(Publication.id).where(*unacknowledged)) is None:
            return
    with transaction():
        db.session.execute(update(Publication).where(*unacknowledged).values(queued_at=None))
