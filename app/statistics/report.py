"""A user's publications in numbers: what their counts gained in a period of days.

A period's gain is each publication's highest count so far, less the one before the period: `daily` adds it up by day.
A count that a platform does not give is left out of a sum, and the sum names the platform; it is never counted as 0.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from flask import current_app
from sqlalchemy import BigInteger, ColumnElement, CompoundSelect, Select, cast, func, literal, null, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from app import clock, platforms
from app.db import db
from app.models import Clip, DailyIncrement, Publication, Status, User
from app.paging import COUNTED, Page, count_up_to, paginate
from app.platforms.base import COUNTS, Counting

PERIODS = (7, 30, 90)  # days
DEFAULT_PERIOD = 30
PER_PAGE = 20

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Number:
    """One count of one publication. `value` None: unknown, for this `reason`. `note`: how exact it is."""

    count: str
    value: int | None
    reason: str
    note: str


@dataclass(frozen=True)
class Sum:
    """`value` None: no platform gives it. `without`: platforms that do not, `partly`: unknown for some publications."""

    value: int | None
    without: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Line:
    """What one platform gained, or one clip (None: it is deleted)."""

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
    notes: Sequence[str]  # which counts the user's platforms do not give


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
        return "Публикация отмечена вручную: её номера на площадке мы не знаем."
    return "Ещё не собрано."


def awaits_first(publication: Publication) -> bool:
    """Whether its first counts come in a moment, so that a page should poll for them."""
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


# By platform, in the order in which platforms are always named: how many publications, and of how many of them each
# count is known.
_ByPlatform = Mapping[str, tuple[int, Counts]]
# A clip's id, or the title of publications whose clip is deleted.
_Group = tuple[int | None, str | None]

_KNOWN = (Publication.platform, func.count(), *(func.count(getattr(Publication, count)) for count in COUNTS))


def report(user: User, days: int = DEFAULT_PERIOD, page: int = 1) -> Report:
    """The last `days` days of the user's zone, today included; one page of clips, the most viewed first."""
    user_id = user.id
    calendar = [day for day, _ in clock.days(user.timezone, days)]
    known = _by_platform(db.session.execute(select(*_KNOWN).where(*_published(user_id)).group_by(Publication.platform)))
    by_day, by_platform = _gained(user_id, calendar[0])
    return Report(
        days=[Day(day, by_day[day]) for day in calendar],
        publications=sum(publications for publications, _ in known.values()),
        sums=_sums(known, sum(by_platform.values(), Counter())),
        platforms=[
            Line(platforms.ADAPTERS[key].name, (key,), one[0], _sums({key: one}, by_platform[key]))
            for key, one in known.items()
        ],
        clips=_clips(user_id, calendar[0], page),
        notes=_notes(known),
    )


def _published(user_id: int) -> tuple[ColumnElement[bool], ...]:
    return Publication.user_id == user_id, Publication.status == Status.PUBLISHED


def _by_platform(rows: Iterable[Sequence]) -> _ByPlatform:
    found = {key: (publications, dict(zip(COUNTS, known, strict=True))) for key, publications, *known in rows}
    return {key: found[key] for key in platforms.ADAPTERS if key in found}


def _gained(user_id: int, since: date) -> tuple[Mapping[date, Counter], Mapping[str, Counter]]:
    """By day, and by platform."""
    by_day, by_platform = defaultdict(Counter), defaultdict(Counter)
    rows = db.session.execute(
        select(
            DailyIncrement.day, DailyIncrement.platform, *(getattr(DailyIncrement, count) for count in COUNTS)
        ).where(DailyIncrement.user_id == user_id, DailyIncrement.platform.is_not(None), DailyIncrement.day >= since)
    )
    for day, platform, *counts in rows:
        gained = dict(zip(COUNTS, counts, strict=True))
        by_day[day].update(gained)
        by_platform[platform].update(gained)
    return by_day, by_platform


def _clips(user_id: int, since: date, page: int) -> Page[Line]:
    counted = count_up_to(COUNTED, select(literal(1)).select_from(_groups(user_id).subquery()))
    shown = paginate(_ranked(user_id, since), page, PER_PAGE, counted=counted)
    newest = db.session.scalars(
        select(Publication).where(Publication.id.in_(shown.rows)).options(joinedload(Publication.clip))
    ).all()
    clip_ids = [one.clip_id for one in newest if one.clip_id is not None]
    titles = [one.title for one in newest if one.clip_id is None]
    known, gained = _known_of(user_id, clip_ids, titles), _gained_by(user_id, since, clip_ids, titles)
    lines = []
    for one in sorted(newest, key=lambda one: shown.rows.index(one.id)):
        group = (one.clip_id, one.title if one.clip_id is None else None)
        own = known[group]
        publications = sum(publications for publications, _ in own.values())
        title = one.clip.title if one.clip else one.title
        lines.append(Line(title, tuple(own), publications, _sums(own, gained[group]), one.clip))
    return replace(shown, rows=lines)


def _groups(user_id: int, *more: ColumnElement) -> CompoundSelect:
    """Each group in the order of its index: SQLite would sort for any other."""
    clips = select(Publication.clip_id.label("clip_id"), null().label("title"), *more)
    titles = select(null(), Publication.title, *more)
    published = _published(user_id)
    return union_all(
        clips.where(*published, Publication.clip_id.is_not(None)).group_by(Publication.clip_id),
        titles.where(*published, Publication.clip_id.is_(None)).group_by(Publication.title),
    )


def _ranked(user_id: int, since: date) -> Select[tuple[int]]:
    """The newest publication of each group. By the views gained, then by all views, then the newest first."""
    gained = (
        select(
            DailyIncrement.clip_id,
            DailyIncrement.title,
            _total(DailyIncrement.views).label("gained"),
            literal(0).label("views"),
            literal(0).label("newest"),
        )
        .where(DailyIncrement.user_id == user_id, DailyIncrement.platform.is_(None), DailyIncrement.day >= since)
        .group_by(DailyIncrement.clip_id, DailyIncrement.title)
    )
    groups = _groups(user_id, literal(0), func.coalesce(_total(Publication.views), 0), func.max(Publication.id))
    each = union_all(gained, *groups.selects).subquery().c
    newest = func.max(each.newest)
    return (
        select(newest)
        .group_by(each.clip_id, each.title)
        .order_by(*(column.desc() for column in (func.max(each.gained), func.max(each.views), newest)))
    )


def _known_of(user_id: int, clip_ids: Sequence[int], titles: Sequence[str]) -> Mapping[_Group, _ByPlatform]:
    published = _published(user_id)
    of_clips = select(Publication.clip_id, null(), *_KNOWN).where(*published, Publication.clip_id.in_(clip_ids))
    of_titles = select(null(), Publication.title, *_KNOWN).where(
        *published, Publication.clip_id.is_(None), Publication.title.in_(titles)
    )
    rows = defaultdict(list)
    for clip_id, title, *row in db.session.execute(
        union_all(
            of_clips.group_by(Publication.clip_id, Publication.platform),
            of_titles.group_by(Publication.title, Publication.platform),
        )
    ):
        rows[clip_id, title].append(row)
    return {group: _by_platform(own) for group, own in rows.items()}


def _gained_by(user_id: int, since: date, clip_ids: Sequence[int], titles: Sequence[str]) -> Mapping[_Group, Counter]:
    group = (DailyIncrement.clip_id, DailyIncrement.title)
    rows = db.session.execute(
        select(*group, *(_total(getattr(DailyIncrement, count)) for count in COUNTS))
        .where(
            DailyIncrement.user_id == user_id,
            DailyIncrement.clip_id.in_(clip_ids) | DailyIncrement.title.in_(titles),
            DailyIncrement.day >= since,
        )
        .group_by(*group)
    )
    found = {(clip_id, title): Counter(dict(zip(COUNTS, counts, strict=True))) for clip_id, title, *counts in rows}
    return defaultdict(Counter, found)


def _total(column: InstrumentedAttribute) -> ColumnElement[int]:
    return cast(func.sum(column), BigInteger)  # PostgreSQL adds integers up to a decimal number


def _sums(known: _ByPlatform, gained: Counts) -> dict[str, Sum]:
    return {count: _sum(known, gained, count) for count in COUNTS}


def _sum(known: _ByPlatform, gained: Counts, count: str) -> Sum:
    given = [key for key, (_, counts) in known.items() if counts[count]]
    lacking = [key for key, (publications, counts) in known.items() if counts[count] < publications]
    if not given:
        reasons = dict.fromkeys(_counting(key).never.get(count, "Чисел ещё нет.") for key in known)
        return Sum(None, reason=" ".join(reasons))
    names = {key: platforms.ADAPTERS[key].name for key in known}
    return Sum(
        gained[count],
        without=tuple(names[key] for key in lacking if key not in given),
        partly=tuple(names[key] for key in lacking if key in given),
    )


def _notes(known: _ByPlatform) -> list[str]:
    texts = [text for key in known for text in (*_counting(key).never.values(), _counting(key).note)]
    return [text for text in dict.fromkeys(texts) if text]
