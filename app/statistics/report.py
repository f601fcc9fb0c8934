"""What became of a user's publications: their numbers, added up for a period of days.

A period's numbers are what was gained in it: each publication's highest count so far, less the one before the period.
A number that a platform does not give is left out of a sum, and the sum says so; it is never counted as 0.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from flask import current_app
from sqlalchemy import BigInteger, ColumnElement, cast, func, select
from sqlalchemy.orm import joinedload

from app import clock, platforms
from app.db import db
from app.models import Clip, Publication, Standing, StandingDay, StandingPlatform, Status, User
from app.paging import Page, indexed_eq, paginate
from app.platforms.base import COUNTS, Counting
from app.statistics import tally

DEFAULT_PERIOD = 30
PER_PAGE = 20
# After a migration or a restore hundreds of thousands may have to be counted first.
_PATIENCE_SECONDS = 20.0

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Number:
    """One count of one publication. `value` None: unknown, and `reason` says why. `note`: what to know of it."""

    count: str
    value: int | None
    reason: str
    note: str


@dataclass(frozen=True)
class Sum:
    """`value` None: nobody gave it. `without`: platforms that did not, `partly`: those of which some did not."""

    value: int | None
    without: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Line:
    """What was gained on one platform, or by one clip (None: it is deleted)."""

    title: str
    platforms: tuple[str, ...]
    publications: int
    sums: Mapping[str, Sum]
    clip: Clip | None = None


@dataclass(frozen=True)
class Day:
    day: date
    gained: Counts


@dataclass(frozen=True)
class Report:
    days: Sequence[Day]
    publications: int
    sums: Mapping[str, Sum]
    platforms: Sequence[Line]
    clips: Page[Line]
    notes: Sequence[str]  # what the platforms at hand do not tell
    behind: bool = False  # not all is counted yet


def numbers(publication: Publication) -> list[Number]:
    """The newest counts of a published clip, each with the reason where there is none."""
    counting = _counting(publication.platform)
    return [
        Number(count, value, "" if value is not None else _why_unknown(publication, counting, count), counting.note)
        for count, value in ((count, getattr(publication, count)) for count in COUNTS)
    ]


def _why_unknown(publication: Publication, counting: Counting, count: str) -> str:
    if count in counting.never:
        return counting.never[count]
    if publication.stats_at is not None:
        return counting.unknown
    if publication.connection_id is None:
        return "Аккаунт отключён: числа больше не собираются."
    if publication.external_id is None:
        return "Публикация отмечена вручную: её номера на платформе мы не знаем."
    return "Ещё не собрано."


def awaits_first(publication: Publication) -> bool:
    """Whether its first numbers come in a moment, so that a page does well to wait for them."""
    due = publication.stats_due_at
    return bool(
        publication.status == Status.PUBLISHED
        and publication.stats_at is None
        and publication.connection_id
        and publication.external_id
        and due
        and due <= clock.now() + timedelta(minutes=2)
    )


def _counting(platform: str) -> Counting:
    return platforms.ADAPTERS[platform].counting(current_app.config)


# The report


@dataclass
class _Figures:
    """Of one platform: how many publications, of how many of them each count is known, what was gained."""

    publications: int
    known: Counts
    gained: Counts


# In the order in which platforms are always named.
_ByPlatform = Mapping[str, _Figures]


def report(user: User, days: int = DEFAULT_PERIOD, page: int = 1) -> Report:
    """The last `days` days of the user's zone, today included; one page of clips, the most viewed first.

    Counts first what is not counted yet; then the same few queries, however many rows there are.
    """
    user_id, zone_name = user.id, user.timezone
    waiting = tally.catch_up(user_id, zone_name, _PATIENCE_SECONDS)
    total_id = waiting.total_id
    calendar = [day for day, _ in clock.days(zone_name, days)]
    if total_id is None:
        return Report([Day(day, Counter()) for day in calendar], 0, _sums({}), [], Page(), [])
    total = _figures([total_id], calendar[0])[total_id]
    return Report(
        days=_days(total_id, calendar),
        publications=sum(one.publications for one in total.values()),
        sums=_sums(total),
        platforms=[
            Line(platforms.ADAPTERS[key].name, (key,), one.publications, _sums({key: one}))
            for key, one in total.items()
        ],
        clips=_clips(user_id, total_id, calendar, page),
        notes=_notes(total),
        behind=waiting.anything,
    )


def _days(standing_id: int, calendar: Sequence[date]) -> list[Day]:
    rows = db.session.execute(
        select(StandingDay.day, *_gained())
        .where(StandingDay.standing_id == standing_id, StandingDay.day >= calendar[0].toordinal())
        .group_by(StandingDay.day)
    )
    gained = {day: Counter(dict(zip(COUNTS, values, strict=True))) for day, *values in rows}
    return [Day(day, gained.get(day.toordinal(), Counter())) for day in calendar]


def _figures(standing_ids: Sequence[int], since: date) -> dict[int, _ByPlatform]:
    """By standing. Two queries for all."""
    of_days = db.session.execute(
        select(StandingDay.standing_id, StandingDay.platform, *_gained())
        .where(StandingDay.standing_id.in_(standing_ids), StandingDay.day >= since.toordinal())
        .group_by(StandingDay.standing_id, StandingDay.platform)
    )
    gained = {
        (standing_id, platform): dict(zip(COUNTS, values, strict=True)) for standing_id, platform, *values in of_days
    }
    rows = db.session.scalars(select(StandingPlatform).where(StandingPlatform.standing_id.in_(standing_ids)))
    found = {
        (row.standing_id, row.platform): _Figures(
            row.publications,
            {count: getattr(row, f"with_{count}") for count in COUNTS},
            gained.get((row.standing_id, row.platform), dict.fromkeys(COUNTS, 0)),
        )
        for row in rows
        if row.publications
    }
    return {
        standing_id: {key: found[standing_id, key] for key in platforms.ADAPTERS if (standing_id, key) in found}
        for standing_id in standing_ids
    }


def _gained() -> list[ColumnElement[int]]:
    return [cast(func.sum(getattr(StandingDay, count)), BigInteger) for count in COUNTS]


def _clips(user_id: int, total_id: int, calendar: Sequence[date], page: int) -> Page[Line]:
    gained = getattr(Standing, f"views_{len(calendar)}")
    place = (Standing.user_id, gained, Standing.views, Standing.newest, Standing.id)
    listed = (
        select(Standing)
        .where(indexed_eq(Standing.user_id, user_id), Standing.id != total_id)
        .order_by(*(column.desc() for column in place))
    )
    shown = paginate(listed, page, PER_PAGE, joinedload(Standing.clip))
    figures = _figures([one.id for one in shown.rows], calendar[0])
    return replace(shown, rows=[_line(one, figures[one.id]) for one in shown.rows])


def _line(standing: Standing, figures: _ByPlatform) -> Line:
    return Line(
        standing.clip.title if standing.clip else standing.title or "",
        tuple(figures),
        sum(one.publications for one in figures.values()),
        _sums(figures),
        standing.clip,
    )


def _sums(figures: _ByPlatform) -> dict[str, Sum]:
    return {count: _sum(figures, count) for count in COUNTS}


def _sum(figures: _ByPlatform, count: str) -> Sum:
    given = [key for key, one in figures.items() if one.known[count]]
    lacking = [key for key, one in figures.items() if one.known[count] < one.publications]
    if not given:
        reasons = dict.fromkeys(_counting(key).never.get(count, "Чисел ещё нет.") for key in figures)
        return Sum(None, reason=" ".join(reasons))
    names = {key: platforms.ADAPTERS[key].name for key in figures}
    return Sum(
        sum(figures[key].gained[count] for key in given),
        without=tuple(names[key] for key in lacking if key not in given),
        partly=tuple(names[key] for key in lacking if key in given),
    )


def _notes(figures: _ByPlatform) -> list[str]:
    told = [text for key in figures for text in (*_counting(key).never.values(), _counting(key).note)]
    return [text for text in dict.fromkeys(told) if text]
