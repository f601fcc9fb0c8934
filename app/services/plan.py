"""The plan as a calendar shows it. An item is a clip at a time of day: all its publications that are due then."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, func, select

from app import clock, platforms
from app.db import db
from app.models import Clip, Publication, Status, User
from app.services import slots
from app.services.history import STATES, State

# Of one calendar's days. Whatever a user has, a page reads no more.
_MOST_ROWS = 20_000
# The state of an item is that of the publication which needs its user most.
_URGENCY = (
    *(Status.FAILED, Status.UNCONFIRMED, Status.AWAITING_USER),
    *(Status.PUBLISHING, Status.SCHEDULED, Status.PUBLISHED, Status.CANCELLED),
)
_PLATFORMS = list(platforms.ADAPTERS)  # marks stand in one order
_DOTS = 4  # of a small day
_GOES_OUT_OR_DID = tuple(status for status in Status if status != Status.CANCELLED)


@dataclass(frozen=True)
class Filters:
    """None: everything but what was cancelled, and all accounts."""

    state: State | None = None
    connection_id: int | None = None

    @property
    def statuses(self) -> Sequence[Status]:
        return STATES[self.state] if self.state else _GOES_OUT_OR_DID


@dataclass(frozen=True)
class Mark:
    """A publication of an item."""

    platform: str
    account_name: str
    status: Status


@dataclass(frozen=True)
class ItemClip:
    """What a poster's address is made of."""

    id: int
    poster_key: str | None


@dataclass(frozen=True)
class Item:
    """`id` is its first publication's, and stays when it is moved. `local` is the time in the user's zone."""

    id: int
    due_at: datetime
    local: datetime
    title: str
    clip: ItemClip | None
    marks: Sequence[Mark]
    fence: int

    @property
    def status(self) -> Status:
        return min((mark.status for mark in self.marks), key=_URGENCY.index)

    @property
    def can_be_moved(self) -> bool:
        return self.clip is not None and any(mark.status == Status.SCHEDULED for mark in self.marks)


@dataclass(frozen=True)
class Cell:
    """A day or one hour of it: its first items, how many `more` there are, and the free slots (local times)."""

    hour: int | None
    items: list[Item] = field(default_factory=list)
    more: int = 0
    free: list[datetime] = field(default_factory=list)


@dataclass(frozen=True)
class Day:
    """A local day; `statuses` are those of its first items, `count` says how many it has."""

    date: Date
    cells: Sequence[Cell]
    statuses: Sequence[Status]
    count: int


@dataclass(frozen=True)
class Span:
    """Some days in a row, from the first one's start (UTC) to the end of the last."""

    first: Date
    starts: Sequence[datetime]

    @classmethod
    def of(cls, user: User, first: Date, count: int) -> "Span":
        days = (first + timedelta(days=number) for number in range(count + 1))
        return cls(first, [clock.day_start(day, user.timezone) for day in days])


# Of an item what places it: a publication's id, due time and status, by due time.
Group = list[tuple[int, datetime, str]]

# What a group is made of; the texts are read only of what is shown.
_KEY = (Publication.id, Publication.clip_id, Publication.due_at, Publication.status)
_DETAILS = (
    *(Publication.id, Publication.due_at, Publication.status, Publication.fence, Publication.title),
    *(Publication.platform, Publication.account_name, Clip.id.label("clip_id"), Clip.poster_key),
)


def days(
    user: User, span: Span, filters: Filters, most: int, chosen: Date | None = None, most_chosen: int = 0
) -> list[Day]:
    """Each with one cell, of at most `most` items; that of the chosen day of at most `most_chosen`."""
    return _days(user, span, filters, lambda day, _total: most_chosen if day == chosen else most)


def hours(user: User, span: Span, filters: Filters, few: int, many: int, from_total: int) -> list[Day]:
    """Each with a cell for each hour, of at most `many` items; of at most `few` from that many items on."""
    return _days(user, span, filters, lambda _day, total: few if total >= from_total else many, by_hour=True)


def _days(
    user: User, span: Span, filters: Filters, most: Callable[[Date, int], int], by_hour: bool = False
) -> list[Day]:
    """`most`: of a cell, by its day and by how many items there are in all."""
    groups = _groups(db.session.execute(_within(select(*_KEY), user, filters, span.starts[0], span.starts[-1])))
    placed: list[dict[int | None, list[Group]]] = [{} for _ in span.starts[1:]]
    for group in groups:
        at = group[0][1]
        hour = clock.to_zone(at, user.timezone).hour if by_hour else None
        placed[bisect_right(span.starts, at) - 1].setdefault(hour, []).append(group)
    dates = [span.first + timedelta(days=number) for number in range(len(placed))]
    limits = [most(date, len(groups)) for date in dates]
    shown = [
        group for cells, limit in zip(placed, limits, strict=True) for cell in cells.values() for group in cell[:limit]
    ]
    items = {item.id: item for item in _items(user, shown)}
    free: list[list[datetime]] = [[] for _ in placed]
    for slot in slots.free_between(user, span.starts[0], span.starts[-1]):
        free[bisect_right(span.starts, slot.due_at) - 1].append(clock.to_zone(slot.due_at, user.timezone))
    return [
        Day(
            date=date,
            cells=list(_cells(cells, items, limit, times, by_hour)),
            statuses=[_status(group) for cell in cells.values() for group in cell[:_DOTS]][:_DOTS],
            count=sum(map(len, cells.values())),
        )
        for date, cells, limit, times in zip(dates, placed, limits, free, strict=True)
    ]


def _cells(
    groups: dict[int | None, list[Group]],
    items: dict[int, Item],
    limit: int,
    free: Sequence[datetime],
    by_hour: bool,
) -> Iterable[Cell]:
    for hour in range(24) if by_hour else (None,):
        here = groups.get(hour, [])
        shown = [items[_id(group)] for group in here[:limit]]
        times = [local for local in free if hour is None or local.hour == hour]
        yield Cell(hour, shown, len(here) - len(shown), times)


def items(user: User, start: datetime, end: datetime, most: int, newest_first: bool = False) -> list[Item]:
    """At most so many items, cancelled ones too, in the order of their times."""
    found = select(*_KEY).where(*_between(user, start, end))
    order = (Publication.due_at.desc(), Publication.id.desc()) if newest_first else (Publication.due_at, Publication.id)
    groups = _groups(db.session.execute(found.order_by(*order).limit(_MOST_ROWS)))[:most]
    return sorted(_items(user, groups), key=lambda item: (item.due_at, item.id))


def version(user: User, span: Span, filters: Filters) -> str:
    """Changes with all that `days` returns; one row of sums. Each change of a publication raises its fence."""
    sums = (
        *(func.count(Publication.id), func.sum(Publication.id), func.sum(Publication.fence)),
        *(func.sum(Publication.id * Publication.fence), func.count(Publication.clip_id)),
    )
    query = select(*sums).where(*_where(user, filters, span.starts[0], span.starts[-1]))
    today = clock.to_zone(clock.now(), user.timezone).date()
    return ".".join(str(int(number or 0)) for number in (today.toordinal(), *db.session.execute(query).one()))


def _between(user: User, start: datetime, end: datetime) -> list[Any]:
    return [Publication.user_id == user.id, Publication.due_at >= start, Publication.due_at < end]


def _where(user: User, filters: Filters, start: datetime, end: datetime) -> list[Any]:
    where = [*_between(user, start, end), Publication.status.in_(filters.statuses)]
    return where + ([Publication.connection_id == filters.connection_id] if filters.connection_id else [])


def _within(query: Select, user: User, filters: Filters, start: datetime, end: datetime) -> Select:
    where = _where(user, filters, start, end)
    return query.where(*where).order_by(Publication.due_at, Publication.id).limit(_MOST_ROWS)


def _groups(rows: Iterable[Row]) -> list[Group]:
    """By clip and minute: what is published at once has its publications some milliseconds apart."""
    groups: dict[tuple[int, datetime], Group] = {}
    for number, clip_id, due_at, status in rows:
        minute = due_at.replace(second=0, microsecond=0) if due_at.second or due_at.microsecond else due_at
        # What has no clip any more is one of a kind.
        key = clip_id or -number, minute
        if key in groups:
            groups[key].append((number, due_at, status))
        else:
            groups[key] = [(number, due_at, status)]
    return list(groups.values())


def _id(group: Group) -> int:
    return min(group)[0]


def _status(group: Group) -> Status:
    return Status(min((status for _, _, status in group), key=_URGENCY.index))


def _items(user: User, groups: Sequence[Group]) -> list[Item]:
    ids = [number for group in groups for number, _, _ in group]
    query = select(*_DETAILS).outerjoin(Clip, Clip.id == Publication.clip_id).where(Publication.id.in_(ids))
    details = {row.id: row for row in db.session.execute(query)} if ids else {}
    return [_item(user, [details[number] for number, _, _ in group]) for group in groups]


def _item(user: User, rows: Sequence[Row]) -> Item:
    first = min(rows, key=lambda row: row.id)
    rows = sorted(rows, key=lambda row: (_PLATFORMS.index(row.platform), row.id))
    at = min(row.due_at for row in rows)
    return Item(
        id=first.id,
        due_at=at,
        local=clock.to_zone(at, user.timezone),
        title=first.title,
        clip=ItemClip(first.clip_id, first.poster_key) if first.clip_id else None,
        marks=[Mark(row.platform, row.account_name, Status(row.status)) for row in rows],
        fence=sum(row.fence for row in rows),
    )
