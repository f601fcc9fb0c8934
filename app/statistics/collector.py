"""Reading the counts of what is published: a tick finds what is due, a job reads all of one account.

`Publication.stats_due_at` is the truth: a wake-up that was lost and a job whose worker died come again by it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Row, case, func, literal, null, select, update

from app import clock
from app.db import db, reading, transaction
from app.models import ConnectionStatus, PlatformConnection, Publication, StatsSample, Status, User, touch
from app.models.types import UTCDateTime, is_due
from app.platform_access import account_info, tokens
from app.platform_access.account_info import account_of
from app.platform_access.rate_limits import paced_adapter
from app.platforms.base import COUNTS, Stats
from app.platforms.errors import AccountMoved, PlatformError, RateLimited, Reconnect, TokenExpired, Unavailable
from app.statistics import cadence, tally

log = structlog.get_logger(__name__)

LOST_AFTER = timedelta(minutes=2)
# Outlasts a job, and LOST_AFTER, so that a second job for the same account finds nothing.
_LEASE = timedelta(minutes=15)
_MOST_AT_ONCE = 2000  # publications
# Then the worker is wanted for something else; what is left comes with the next wake-up.
_MOST_CALLS = 30

_AFTER_FAILURE = timedelta(minutes=20)
# What stood behind a failure comes before it the next time.
_BEHIND_FAILURE = timedelta(minutes=10)
_UNTIL_RECONNECTED = timedelta(hours=1)
# Numbers that do not change leave a trace once in a while only.
_SAME_AGAIN = timedelta(days=1)

# id, external_id, published_at, stats_at
Due = Sequence[Row]


def release_due(enqueue: Callable[[list[int]], bool]) -> int:
    """Hands the ids of the accounts where something is to be read to `enqueue`; answers how many."""
    now = clock.now()
    connection_ids = _due_connections(now)
    handed_over = bool(connection_ids) and _hand_over(connection_ids, enqueue, now)
    tally.catch_up_somebody()  # last: what fails here keeps no account waiting
    return len(connection_ids) if handed_over else 0


def _hand_over(connection_ids: list[int], enqueue: Callable[[list[int]], bool], now: datetime) -> bool:
    """To the queue; what it has not taken, for whatever reason, is found by the next tick."""
    taken = False
    try:
        taken = enqueue(connection_ids)
    finally:
        if not taken:
            with transaction():
                _set_due(now, Publication.stats_due_at == now + LOST_AFTER)
    return taken


def _due_connections(now: datetime) -> list[int]:
    """Where something is to be read; for a while it will not be found here again."""
    due = (Publication.status == Status.PUBLISHED, is_due(Publication.stats_due_at, now, cadence.LONGEST_PAUSE))
    # By the rows' time, not by the connection: SQLite would go through the whole table in that order.
    first = select(Publication.id).where(*due).order_by(Publication.stats_due_at).limit(_MOST_AT_ONCE)
    with reading():
        if db.session.scalar(first.limit(1)) is None:
            return []
    # The account is disconnected: nobody can be asked.
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
        zone_name = connection and db.session.get(User, connection.user_id).timezone
        db.session.expunge_all()
    if connection is None:
        return
    _read(connection)
    with reading():  # counted now, so that no page has to
        tally.catch_up(connection.user_id, zone_name)


def _read(connection: PlatformConnection) -> None:
    connection_id, platform = connection.id, _Platform(connection)
    due = claim(connection_id, platform.per_call * _MOST_CALLS)
    left = [one for one in due if one.external_id and platform.gives]
    if len(left) < len(due):
        _postpone([one for one in due if not (one.external_id and platform.gives)], None)
    if left and platform.waits_for_its_user:
        _postpone(left, clock.now() + _UNTIL_RECONNECTED)
        return
    failed_before = False
    while left:
        some, left = left[: platform.per_call], left[platform.per_call :]
        try:
            _store(some, platform.counts([one.external_id for one in some]))
            failed_before = False
        except RateLimited as limited:
            _postpone(some + left, limited.until)
            return
        except (Reconnect, TokenExpired):
            tokens.require_reconnect(connection_id, platform.token)
            _postpone(some + left, clock.now() + _UNTIL_RECONNECTED)
            return
        except PlatformError as error:
            log.info("counts were not read", reason=error.reason, detail=error.detail)
            _postpone(some, clock.now() + _AFTER_FAILURE)
            if isinstance(error, Unavailable) and failed_before:  # it is the platform, not this one publication
                _postpone(left, clock.now() + _BEHIND_FAILURE)
                return
            failed_before = True


class _Platform:
    """The platform of one account, asked with its token where it wants one."""

    def __init__(self, connection: PlatformConnection) -> None:
        self._connection = connection
        self._adapter = paced_adapter(connection.platform)
        self._account = account_of(connection)
        self._counting = self._adapter.counting(self._adapter.config)
        self.token = None
        self.per_call = self._counting.per_call
        self.gives = self._counting.gives

    @property
    def waits_for_its_user(self) -> bool:
        return self._counting.needs_token and self._connection.status != ConnectionStatus.ACTIVE

    def counts(self, ids: Sequence[str]) -> Mapping[str, Stats]:
        """Once more with a fresh token where the platform says that it has run out, or where the account is now."""
        if self._counting.needs_token and self.token is None:
            self.token = tokens.open_token(self._connection)
            if tokens.runs_out_soon(self.token):
                self._refresh()
        try:
            return self._adapter.stats(self.token, self._account, ids)
        except TokenExpired:
            self._refresh()
        except AccountMoved as moved:
            self._account = account_info.move(self._connection.id, moved)
            if self._account is None:
                raise Reconnect from None
        return self._adapter.stats(self.token, self._account, ids)

    def _refresh(self) -> None:
        self.token = tokens.refresh(self._connection.id, self._adapter, self.token)


def claim(connection_id: int, most: int) -> Due:
    """What is due on the account, and what is due in a moment goes along; nobody else takes it for a while."""
    now = clock.now()
    due = (
        Publication.connection_id == connection_id,
        Publication.status == Status.PUBLISHED,
        is_due(Publication.stats_due_at, now + LOST_AFTER, cadence.LONGEST_PAUSE),
    )
    # The newest first: their numbers are looked at.
    first = select(Publication.id).where(*due).order_by(Publication.stats_due_at, Publication.id.desc()).limit(most)
    with transaction():
        claimed = db.session.execute(
            update(Publication)
            .where(Publication.id.in_(first), *due)
            .values(stats_due_at=now + _LEASE)
            .returning(Publication.id, Publication.external_id, Publication.published_at, Publication.stats_at)
        ).all()
    return sorted(claimed, key=lambda one: one.id, reverse=True)


def _store(some: Due, counts: Mapping[str, Stats]) -> None:
    """Puts what was read into the rows and their history. What the platform has not got keeps its last numbers."""
    now = clock.now()
    ids = [one.id for one in some]
    with transaction():
        sampled = dict(
            db.session.execute(
                select(StatsSample.publication_id, func.max(StatsSample.at))
                .where(StatsSample.publication_id.in_(ids))
                .group_by(StatsSample.publication_id)
            ).all()
        )
        for publication in db.session.scalars(select(Publication).where(Publication.id.in_(ids))):
            publication.stats_due_at = cadence.after(now, publication.published_at)
            seen = counts.get(publication.external_id)
            if seen is not None:
                _put(publication, seen, now, sampled.get(publication.id))


def _put(publication: Publication, seen: Stats, now: datetime, sampled_at: datetime | None) -> None:
    """A number that is missing this time leaves the one that is known."""
    news = {
        count: getattr(seen, count)
        for count in COUNTS
        if getattr(seen, count) not in (None, getattr(publication, count))
    }
    if news or publication.stats_at is None:
        touch(publication.id)
    if seen != Stats() and (news or sampled_at is None or now - sampled_at >= _SAME_AGAIN):
        db.session.add(
            StatsSample(publication_id=publication.id, at=now, views=seen.views, likes=seen.likes, shares=seen.shares)
        )
    for count, value in news.items():
        setattr(publication, count, value)
    publication.stats_at = now


def _postpone(some: Due, until: datetime | None) -> None:
    """Not now. Pages that wait for the first numbers are told; what has grown too old is asked after no more."""
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
