"""What became of a user's publications: their numbers, added up for a period of days.

A period's numbers are what was gained in it: each publication's highest count so far, less the one before the period.
A number that a platform does not give is left out of a sum, and the sum says so; it is never counted as 0.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from flask import current_app
from sqlalchemy import Row, func, select

from app import clock, platforms
from app.extensions import db
from app.models import Clip, Publication, StatsSample, Status, User
from app.platforms.base import COUNTS, Counting

PERIODS = (7, 30, 90)  # days
DEFAULT_PERIOD = 30
PER_PAGE = 20

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
    clips: Sequence[Line]
    page: int
    pages: int
    notes: Sequence[str]  # what the platforms at hand do not tell


@dataclass
class _Gains:
    """By publication, and by the days of the period."""

    by_publication: dict[int, Counter[str]] = field(default_factory=dict)
    by_day: list[Counter[str]] = field(default_factory=list)


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
    return platforms.adapter(platform, current_app.config).counting


# The report


def report(user: User, days: int = DEFAULT_PERIOD, page: int = 1) -> Report:
    """The last `days` days of the user's zone, today included; one page of clips, the most viewed first."""
    calendar = _calendar(user, days)
    published = _published(user)
    gains = _gains(user, calendar)
    countings = {platform: _counting(platform) for platform in {one.platform for one in published}}
    pages = max(1, math.ceil(len({_clip_key(one) for one in published}) / PER_PAGE))
    page = min(max(page, 1), pages)
    return Report(
        days=[Day(day, gained) for (day, _), gained in zip(calendar, gains.by_day, strict=True)],
        publications=len(published),
        sums=_sums(published, gains, countings),
        platforms=_by_platform(published, gains, countings),
        clips=_by_clip(published, gains, countings, page),
        page=page,
        pages=pages,
        notes=_notes(countings),
    )


def export(user: User, days: int = DEFAULT_PERIOD) -> list[list[Any]]:
    """The table of all publications for a spreadsheet, its head first. An unknown number is an empty cell."""
    gains = _gains(user, _calendar(user, days)).by_publication
    names = ("Просмотры", "Лайки", "Репосты")
    head = ["Клип", "Платформа", "Аккаунт", "Опубликовано", "Ссылка"]
    head += [f"{name}, всего" for name in names] + [f"{name}, за {days} дней" for name in names] + ["Собрано"]
    rows: list[list[Any]] = [head]
    for one in _published(user):
        known = [getattr(one, count) for count in COUNTS]
        gained = gains.get(one.id, Counter())
        rows.append(
            [
                one.clip_title or one.title,
                platforms.ADAPTERS[one.platform].name,
                one.account_name,
                _local(one.published_at, user),
                one.url,
                *known,
                *(None if value is None else gained[count] for count, value in zip(COUNTS, known, strict=True)),
                _local(one.stats_at, user),
            ]
        )
    return rows


def _local(moment: datetime | None, user: User) -> str:
    return clock.to_zone(moment, user.timezone).strftime("%d.%m.%Y %H:%M") if moment else ""


def _calendar(user: User, days: int) -> list[tuple[date, datetime]]:
    """Each day of the period with the moment (UTC) when it begins in the user's zone."""
    zone = clock.zone(user.timezone)
    today = clock.to_zone(clock.now(), user.timezone).date()
    all_days = [today - timedelta(days=back) for back in reversed(range(days))]
    return [(day, datetime.combine(day, time.min, zone).astimezone(UTC)) for day in all_days]


def _published(user: User) -> Sequence[Row]:
    """The newest first."""
    columns = ("id", "platform", "account_name", "clip_id", "title", "url", "published_at", "stats_at", *COUNTS)
    return db.session.execute(
        select(*(getattr(Publication, name) for name in columns), Clip.title.label("clip_title"))
        .outerjoin(Clip, Clip.id == Publication.clip_id)
        .where(Publication.user_id == user.id, Publication.status == Status.PUBLISHED)
        .order_by(Publication.id.desc())
    ).all()


def _gains(user: User, calendar: Sequence[tuple[date, datetime]]) -> _Gains:
    """A count that falls (a platform takes bots away) gains nothing until it is higher than ever."""
    begins = [begin for _, begin in calendar]
    mine = select(Publication.id).where(Publication.user_id == user.id, Publication.status == Status.PUBLISHED)
    counts = [getattr(StatsSample, count) for count in COUNTS]
    before = db.session.execute(
        select(StatsSample.publication_id, *map(func.max, counts))
        .where(StatsSample.publication_id.in_(mine), StatsSample.at < begins[0])
        .group_by(StatsSample.publication_id)
    )
    highest = {publication_id: [value or 0 for value in values] for publication_id, *values in before}
    since = db.session.execute(
        select(StatsSample.publication_id, StatsSample.at, *counts)
        .where(StatsSample.publication_id.in_(mine), StatsSample.at >= begins[0])
        .order_by(StatsSample.publication_id, StatsSample.at)
    )
    gains = _Gains(by_day=[Counter() for _ in calendar])
    for publication_id, samples in groupby(since, itemgetter(0)):
        before_it = highest.get(publication_id, [0] * len(COUNTS))
        peak = list(before_it)
        for _, at, *values in samples:
            for place, value in enumerate(values):
                if value is not None and value > peak[place]:
                    gains.by_day[bisect_right(begins, at) - 1][COUNTS[place]] += value - peak[place]
                    peak[place] = value
        gained = (now - then for now, then in zip(peak, before_it, strict=True))
        gains.by_publication[publication_id] = Counter(dict(zip(COUNTS, gained, strict=True)))
    return gains


def _by_platform(published: Sequence[Row], gains: _Gains, countings: Mapping[str, Counting]) -> list[Line]:
    """In the order in which platforms are always named."""
    lines = []
    for key in platforms.ADAPTERS:
        own = [one for one in published if one.platform == key]
        if own:
            lines.append(Line(platforms.ADAPTERS[key].name, (key,), len(own), _sums(own, gains, countings)))
    return lines


def _by_clip(published: Sequence[Row], gains: _Gains, countings: Mapping[str, Counting], page: int) -> list[Line]:
    groups: dict[Any, list[Row]] = {}
    for one in published:
        groups.setdefault(_clip_key(one), []).append(one)

    def standing(own: list[Row]) -> tuple[int, int]:
        return (
            sum(gains.by_publication.get(one.id, Counter())["views"] for one in own),
            sum(one.views or 0 for one in own),
        )

    # The sort is stable: of equal ones the newest comes first.
    ranked = sorted(groups.values(), key=standing, reverse=True)
    shown = ranked[(page - 1) * PER_PAGE :][:PER_PAGE]
    ids = [own[0].clip_id for own in shown if own[0].clip_id]
    clips = {clip.id: clip for clip in db.session.scalars(select(Clip).where(Clip.id.in_(ids)))}
    return [
        Line(
            own[0].clip_title or own[0].title,
            tuple(key for key in platforms.ADAPTERS if any(one.platform == key for one in own)),
            len(own),
            _sums(own, gains, countings),
            clips.get(own[0].clip_id),
        )
        for own in shown
    ]


def _clip_key(one: Row) -> Any:
    """Publications of a clip that is deleted are told apart by their title."""
    return one.clip_id or one.title


def _sums(own: Sequence[Row], gains: _Gains, countings: Mapping[str, Counting]) -> dict[str, Sum]:
    return {count: _sum(own, gains, countings, count) for count in COUNTS}


def _sum(own: Sequence[Row], gains: _Gains, countings: Mapping[str, Counting], count: str) -> Sum:
    known = [one for one in own if getattr(one, count) is not None]
    every, lacking = _keys(own), _keys(one for one in own if getattr(one, count) is None)
    given = _keys(known)
    names = {key: platforms.ADAPTERS[key].name for key in every}
    if not known:
        reasons = dict.fromkeys(countings[key].never.get(count, "Чисел ещё нет.") for key in every)
        return Sum(None, reason=" ".join(reasons))
    return Sum(
        sum(gains.by_publication.get(one.id, Counter())[count] for one in known),
        without=tuple(names[key] for key in every if key in lacking and key not in given),
        partly=tuple(names[key] for key in every if key in lacking and key in given),
    )


def _notes(countings: Mapping[str, Counting]) -> list[str]:
    told = [
        text
        for key in platforms.ADAPTERS
        if key in countings
        for text in (*countings[key].never.values(), countings[key].note)
    ]
    return [text for text in dict.fromkeys(told) if text]


def _keys(some: Iterable[Row]) -> list[str]:
    present = {one.platform for one in some}
    return [key for key in platforms.ADAPTERS if key in present]
