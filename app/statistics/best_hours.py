"""At which hours a user's clips are watched most, by the user's own publications: or nothing, where they are too few.

A publication counts by its views after three days, compared with the median of its account, and an hour by the median
of its publications: one clip that goes viral decides nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import and_, false, or_, select

from app import clock
from app.db import db
from app.models import Publication, StatsSample, Status

_AGE = timedelta(days=3)
# Its counts may have been away for a while: what was counted long before that age says too little.
_FRESH = timedelta(hours=36)
_PERIOD = timedelta(days=180)
# Of an account and in an hour fewer say nothing, nor do fewer in all.
MIN_POSTS, MIN_POSTS_AN_HOUR = 10, 3
_MOST_POSTS = 200
_MOST_HOURS = 3
# By how much an hour has to be above the account's median.
_MIN_GAIN = 1.15


@dataclass(frozen=True)
class Hour:
    """`gain`: how many times the usual views."""

    weekday: int
    hour: int
    posts: int
    gain: float


@dataclass(frozen=True)
class BestHours:
    """`posts`: how many publications were compared. `hours`: the best first."""

    posts: int
    hours: Sequence[Hour]


NOTHING = BestHours(0, ())
Post = tuple[int, datetime, int]  # account, when it was published, views


def best_hours(posts: Iterable[Post], connection_ids: Collection[int], zone_name: str) -> BestHours:
    """Of these accounts, by hours of the zone. `posts`: of `posts_of`."""
    posts = [one for one in posts if one[0] in connection_ids]
    usual = {account: median(views) for account, views in _by_account(posts).items() if len(views) >= MIN_POSTS_AN_HOUR}
    gains: dict[tuple[int, int], list[float]] = defaultdict(list)
    for account, published_at, views in posts:
        if usual.get(account):
            local = clock.to_zone(published_at, zone_name)
            gains[local.weekday(), local.hour].append(views / usual[account])
    compared = sum(map(len, gains.values()))
    if compared < MIN_POSTS:
        return NOTHING
    hours = [
        Hour(weekday, hour, len(of_hour), median(of_hour))
        for (weekday, hour), of_hour in gains.items()
        if len(of_hour) >= MIN_POSTS_AN_HOUR and median(of_hour) >= _MIN_GAIN
    ]
    return BestHours(compared, sorted(hours, key=lambda one: -one.gain)[:_MOST_HOURS])


def posts_of(user_id: int) -> list[Post]:
    """The newest publications that are old enough to say how they are watched."""
    now = clock.now()
    published = db.session.execute(
        select(Publication.id, Publication.connection_id, Publication.published_at)
        .where(
            Publication.user_id == user_id,
            Publication.status == Status.PUBLISHED,
            Publication.connection_id.is_not(None),
            Publication.published_at > now - _PERIOD,
            Publication.published_at <= now - _AGE,
        )
        .order_by(Publication.id.desc())
        .limit(_MOST_POSTS)
    ).all()
    views = _early_views({row.id: row.published_at + _AGE for row in published})
    return [(row.connection_id, row.published_at, views[row.id]) for row in published if row.id in views]


def _early_views(until: Mapping[int, datetime]) -> dict[int, int]:
    """By publication, what was counted last up to then."""
    # By a range of the index for each: of what was counted in half a year, two lines matter.
    ranges = [
        and_(StatsSample.publication_id == number, StatsSample.at.between(at - _FRESH, at))
        for number, at in until.items()
    ]
    samples = select(StatsSample.publication_id, StatsSample.views).order_by(StatsSample.at)
    known = samples.where(or_(false(), *ranges), StatsSample.views.is_not(None))
    return dict(db.session.execute(known).all())


def _by_account(posts: Sequence[Post]) -> Mapping[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for account, _, views in posts:
        found[account].append(views)
    return found
