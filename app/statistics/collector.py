"""Reading the counts of what is published: a tick finds what is due, a job reads all of one account.

`Publication.stats_due_at` is the truth: a wake-up that was lost and a job whose worker died come again by it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Row, case, func, literal, null, select, update

from app import clock
from app.db import db, reading, transaction
from app.models import ConnectionStatus, PlatformConnection, Publication, StatsSample, Status, touch
from app.models.types import UTCDateTime, is_due
from app.platform_access import account_info
from app.platform_access.rate_limits import paced_adapter
from app.platform_access.tokens import TokenReplaced, with_fresh_token
from app.platforms.base import COUNTS, Account, Adapter, Receipt, Stats, Token
from app.platforms.errors import AccountMoved, PlatformError, RateLimited, Reconnect, TokenExpired, Unavailable
from app.statistics import cadence, daily

log = structlog.get_logger(__name__)

LOST_AFTER = timedelta(minutes=2)
# Outlasts a job, and LOST_AFTER, so that a second job for the same account finds nothing.
_LEASE = timedelta(minutes=15)
_MOST_AT_ONCE = 2000  # publications
# Then the worker is free for other jobs; what is left comes with the next wake-up.
_MOST_CALLS = 30

_AFTER_FAILURE = timedelta(minutes=20)
# What was left behind a failure comes before it the next time.
_BEHIND_FAILURE = timedelta(minutes=10)
_UNTIL_RECONNECTED = timedelta(hours=1)
# Counts that do not change are sampled only this often.
_SAME_AGAIN = timedelta(days=1)

_DUE = ("id", "user_id", "external_id", "published_at", "stats_at")
Due = Sequence[Row]  # of these columns


def release_due(enqueue: Callable[[list[int]], bool]) -> int:
    """Hands the ids of the accounts where something is to be read to `enqueue`; returns how many.

    What the queue has not taken, for whatever reason, is found by the next tick.
    """
    now = clock.now()
    connection_ids = _due_connections(now)
    if not connection_ids:
        return 0
    taken = False
    try:
        taken = enqueue(connection_ids)
    finally:
        if not taken:
            with transaction():
                _set_due(now, Publication.stats_due_at == now + LOST_AFTER)
    return len(connection_ids) if taken else 0


def _due_connections(now: datetime) -> list[int]:
    """Accounts where something is to be read; they are not due again for a while."""
    due = (Publication.status == Status.PUBLISHED, is_due(Publication.stats_due_at, now, cadence.LONGEST_PAUSE))
    # By the rows' time, not by the connection: SQLite would go through the whole table in that order.
    first = select(Publication.id).where(*due).order_by(Publication.stats_due_at).limit(_MOST_AT_ONCE)
    with reading():
        if db.session.scalar(first.limit(1)) is None:
            return []
    # A disconnected account cannot be read.
    next_due = case((Publication.connection_id.is_(None), null()), else_=literal(now + LOST_AFTER, UTCDateTime()))
    with transaction():
        taken = db.session.scalars(
            update(Publication)
            .where(Publication.id.in_(first), *due)
            .values(stats_due_at=next_due)
            .returning(Publication.connection_id),
            execution_options={"synchronize_session": False},
        )
        return list(set(taken) - {None})


def read(connection_id: int) -> None:
    """Reads what is due on one account, in as few calls as its platform allows. May come twice."""
    with transaction():
        connection = db.session.get(PlatformConnection, connection_id)
        db.session.expunge_all()
    if connection is None:
        return
    adapter = paced_adapter(connection.platform)
    counting = adapter.counting(adapter.config)
    due = claim(connection.id, counting.per_call * _MOST_CALLS)
    left = [one for one in due if one.external_id and counting.gives]
    if len(left) < len(due):
        _postpone([one for one in due if not (one.external_id and counting.gives)], None)
    if not left:
        return
    try:
        if connection.status == ConnectionStatus.ACTIVE:
            with_fresh_token(connection, partial(_read_counts, connection.id, left))
        else:
            _postpone(left, clock.now() + _UNTIL_RECONNECTED)
    except RateLimited as limited:
        _postpone(left, limited.until)
    except (Reconnect, TokenExpired, TokenReplaced):
        _postpone(left, clock.now() + _UNTIL_RECONNECTED)
    except PlatformError as error:
        log.info("counts were not read", reason=error.reason, detail=error.detail)
        _postpone(left, clock.now() + _AFTER_FAILURE)


def _read_counts(connection_id: int, left: list[Row], adapter: Adapter, account: Account, token: Token) -> None:
    """Takes out of `left` what has been read or put off."""
    failed_before = False
    while left:
        some = left[: adapter.counting(adapter.config).per_call]
        ids = [one.external_id for one in some]
        try:
            try:
                counts = adapter.stats(token, account, ids)
            except AccountMoved as moved:
                account = account_info.move(connection_id, moved)
                if account is None:
                    raise Reconnect from None
                counts = adapter.stats(token, account, ids)
            _store(some, counts)
            failed_before = False
        except (RateLimited, Reconnect, TokenExpired):
            raise
        except PlatformError as error:
            log.info("counts were not read", reason=error.reason, detail=error.detail)
            _postpone(some, clock.now() + _AFTER_FAILURE)
            if isinstance(error, Unavailable) and failed_before:  # it is the platform, not this one publication
                _postpone(left[len(some) :], clock.now() + _BEHIND_FAILURE)
                left.clear()
            failed_before = True
        del left[: len(some)]


def claim(connection_id: int, most: int) -> Due:
    """What is due on the account, or due in a moment; it is leased for a while."""
    now = clock.now()
    due = (
        Publication.connection_id == connection_id,
        Publication.status == Status.PUBLISHED,
        is_due(Publication.stats_due_at, now + LOST_AFTER, cadence.LONGEST_PAUSE),
    )
    # The newest first: their counts change most.
    first = select(Publication.id).where(*due).order_by(Publication.stats_due_at, Publication.id.desc()).limit(most)
    with transaction():
        claimed = db.session.execute(
            update(Publication)
            .where(Publication.id.in_(first), *due)
            .values(stats_due_at=now + _LEASE)
            .returning(*(getattr(Publication, name) for name in _DUE))
        ).all()
    return sorted(claimed, key=lambda one: one.id, reverse=True)


def _store(some: Due, counts: Mapping[str, Stats]) -> None:
    """Writes what was read, its history and what it gained. What the platform did not return keeps its last counts."""
    now = clock.now()
    ids = [one.id for one in some]
    with transaction():
        zone_name = daily.lock(some[0].user_id)
        sampled = dict(
            db.session.execute(
                select(StatsSample.publication_id, func.max(StatsSample.at))
                .where(StatsSample.publication_id.in_(ids))
                .group_by(StatsSample.publication_id)
            ).all()
        )
        samples = []
        for publication in db.session.scalars(select(Publication).where(Publication.id.in_(ids))):
            publication.stats_due_at = cadence.after(now, publication.published_at)
            seen = counts.get(publication.external_id)
            if seen is not None and _put(publication, seen, now, sampled.get(publication.id)):
                sample = StatsSample(publication_id=publication.id, at=now, **{c: getattr(seen, c) for c in COUNTS})
                samples.append((publication, sample))
        daily.record(zone_name, samples)


def _put(publication: Publication, seen: Stats, now: datetime, sampled_at: datetime | None) -> bool:
    """A count that is missing this time leaves the one that is known. Returns whether a sample is to be written."""
    news = {
        count: getattr(seen, count)
        for count in COUNTS
        if getattr(seen, count) not in (None, getattr(publication, count))
    }
    if news or publication.stats_at is None:
        touch(publication.id)
    for count, value in news.items():
        setattr(publication, count, value)
    publication.stats_at = now
    if seen.receipt:
        _learn(publication, seen.receipt)
    return not seen.is_empty and (bool(news) or sampled_at is None or now - sampled_at >= _SAME_AGAIN)


def _learn(publication: Publication, receipt: Receipt) -> None:
    """What the platform tells only some time after it has published: the id, and the link for the page."""
    publication.external_id, publication.url, publication.reason = receipt.id, receipt.url, receipt.remark
    touch(publication.id)


def _postpone(some: Due, until: datetime | None) -> None:
    """Not now. Pages that wait for the first counts change; what is too old by then is read no more."""
    now = clock.now()
    old = [one.id for one in some if cadence.after(now, one.published_at) is None]
    with transaction():
        _set_due(until, Publication.id.in_([one.id for one in some]))
        _set_due(None, Publication.id.in_(old))
        for one in some:
            if one.stats_at is None:
                touch(one.id)


def _set_due(moment: datetime | None, *where) -> None:
    db.session.execute(update(Publication).where(*where).values(stats_due_at=moment))
