"""Daily increments: what the counts gain is added to a day of the user's zone, in the transaction of the sample.

A sample gains what it has more than all samples of its publication before it: a count that falls gains nothing until
it is higher than ever. A sample that is written twice gains nothing the second time.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import func, select

from app import clock
from app.db import db
from app.models import Clip, DailyIncrement, Publication, StatsSample, Status, User
from app.platforms.base import COUNTS

# A column of `DailyIncrement` and its value: what the gains belong to.
Subject = tuple[str, int | str]


def lock(user_id: int) -> str:
    """The user's zone. Until the transaction ends nothing else changes the user's increments."""
    # NO KEY UPDATE: inserts of rows that refer to the user do not wait.
    return db.session.scalar(select(User.timezone).where(User.id == user_id).with_for_update(key_share=True))


def record(zone_name: str, samples: Sequence[tuple[Publication, StatsSample]]) -> None:
    """Writes samples of one user's publications, and what they gain. Precondition: `lock()`."""
    peaks = _peaks([publication.id for publication, _ in samples])
    gains: dict[tuple[Subject, date], Counter] = defaultdict(Counter)
    for publication, sample in samples:
        gained = _gained(sample, peaks[publication.id])
        if gained:
            day = clock.to_zone(sample.at, zone_name).date()
            own = ("title", publication.title) if publication.clip_id is None else ("clip_id", publication.clip_id)
            for subject in (own, ("platform", publication.platform)):
                gains[subject, day] += gained
        db.session.add(sample)
    if samples:
        _increase(samples[0][0].user_id, gains)


def keep_by_title(zone_name: str, clip: Clip) -> None:
    """Before the clip is deleted: its increments become those of its publications' titles. Precondition: `lock()`."""
    history = db.session.execute(
        select(Publication.title, StatsSample)
        .join(StatsSample, StatsSample.publication_id == Publication.id)
        .where(Publication.clip_id == clip.id, Publication.status == Status.PUBLISHED)
        .order_by(StatsSample.id)
    )
    peaks: dict[int, Counter] = defaultdict(Counter)
    gains: dict[tuple[Subject, date], Counter] = defaultdict(Counter)
    for title, sample in history:
        day = clock.to_zone(sample.at, zone_name).date()
        gains[("title", title), day] += _gained(sample, peaks[sample.publication_id])
    _increase(clip.user_id, gains)


def _peaks(publication_ids: Sequence[int]) -> dict[int, Counter]:
    """The highest counts of each publication so far."""
    rows = db.session.execute(
        select(
            StatsSample.publication_id, *(func.coalesce(func.max(getattr(StatsSample, count)), 0) for count in COUNTS)
        )
        .where(StatsSample.publication_id.in_(publication_ids))
        .group_by(StatsSample.publication_id)
    )
    known = {publication_id: Counter(dict(zip(COUNTS, highest, strict=True))) for publication_id, *highest in rows}
    return defaultdict(Counter, known)


def _gained(sample: StatsSample, peak: Counter) -> Counter:
    """What it has more than the peak, which it raises. Without what gained nothing."""
    counts = Counter({count: getattr(sample, count) or 0 for count in COUNTS})
    gained = counts - peak
    peak |= counts
    return gained


def _increase(user_id: int, gains: Mapping[tuple[Subject, date], Counter]) -> None:
    for ((column, value), day), gained in gains.items():
        if not gained:
            continue
        key = {"user_id": user_id, "day": day, column: value}
        row = db.session.scalar(select(DailyIncrement).filter_by(**key).execution_options(populate_existing=True))
        if row is None:
            row = DailyIncrement(**key, **dict.fromkeys(COUNTS, 0))
            db.session.add(row)
        for count, more in gained.items():
            setattr(row, count, getattr(row, count) + more)
