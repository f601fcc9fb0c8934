"""When a publication's counts are read: soon after it is published often, later rarely, in the end no more."""

from datetime import datetime, timedelta

# Ages at which a publication is read at the beginning.
_EARLY = (timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
# From then on: up to which age, how often.
_LATER = (
    (timedelta(days=1), timedelta(hours=1)),
    (timedelta(days=30), timedelta(days=1)),
    (timedelta(days=180), timedelta(weeks=1)),
)
# What a failure or an account without a token puts off is less.
LONGEST_PAUSE = max(every for _, every in _LATER)


def first(published_at: datetime) -> datetime:
    return published_at + _EARLY[0]


def after(now: datetime, published_at: datetime) -> datetime | None:
    """The reading that follows one at `now`; None once the publication is too old to change much."""
    age = now - published_at
    for mark in _EARLY:
        if age < mark:
            return published_at + mark
    for until, every in _LATER:
        if age < until:
            return published_at + (age // every + 1) * every
    return None
