"""What a user's publications gained between two days, by day and by platform, for programs."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select

from app.db import db
from app.models import DailyIncrement, User
from app.platforms.base import COUNTS

MOST_DAYS = 366


@dataclass(frozen=True)
class Period:
    """`days` has each day, also those without a gain."""

    total: Mapping[str, int]
    days: Mapping[date, Mapping[str, int]]
    platforms: Mapping[str, Mapping[str, int]]


def gained(user: User, first: date, last: date) -> Period:
    """Both days included, in the user's zone."""
    rows = db.session.execute(
        select(
            DailyIncrement.day, DailyIncrement.platform, *(getattr(DailyIncrement, count) for count in COUNTS)
        ).where(
            DailyIncrement.user_id == user.id,
            DailyIncrement.platform.is_not(None),
            DailyIncrement.day.between(first, last),
        )
    )
    by_day: defaultdict[date, Counter] = defaultdict(Counter)
    by_platform: defaultdict[str, Counter] = defaultdict(Counter)
    for day, platform, *counts in rows:
        one = dict(zip(COUNTS, counts, strict=True))
        by_day[day].update(one)
        by_platform[platform].update(one)
    days = {first + timedelta(days=number): Counter() for number in range((last - first).days + 1)}
    return Period(sum(by_platform.values(), Counter()), days | by_day, by_platform)
