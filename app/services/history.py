"""A user's publications as pages show them: on cards, in the list with its filters, and one with its events."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Select, func, select, union, union_all
from sqlalchemy.orm import joinedload

from app import platforms, texts
from app.db import db
from app.models import Clip, Publication, PublicationEvent, Status, User, fold
from app.paging import COUNTED, Page, count_subquery, indexed_eq, paginate
from app.publishing.context import SINCE

PER_PAGE = 30
MAX_KNOWN = 200  # publications that one poll may name
MAX_WORDS = 10
MAX_ID = 1 << 63
MAX_TITLES = 200  # clips that the filter «Клип» offers
_MOST_SORTED = 10_000  # of each status, where no index has the order

# Events of which `name` is a step, and those by which the user begins another attempt.
_OF_STEPS = ("step", "commit_started", "accepted")
_AGAIN = ("retried", "resent")


class State(StrEnum):
    """What the plan and the list can be narrowed down to."""

    UPCOMING = "upcoming"
    PUBLISHED = "published"
    ATTENTION = "attention"
    CANCELLED = "cancelled"


STATES: Mapping[State, Sequence[Status]] = {
    State.UPCOMING: (Status.SCHEDULED, Status.PUBLISHING),
    State.PUBLISHED: (Status.PUBLISHED,),
    State.ATTENTION: (Status.AWAITING_USER, Status.UNCONFIRMED, Status.FAILED),
    State.CANCELLED: (Status.CANCELLED,),
}


@dataclass(frozen=True)
class Filters:
    """Filters of the list; None or empty: everything. `words` are searched for in title and account; `due` is a time
    with its end.
    """

    status: Status | None = None
    platform: str | None = None
    clip_id: int | None = None
    words: str = ""
    state: State | None = None
    due: tuple[datetime, datetime] | None = None

    @property
    def statuses(self) -> Sequence[Status]:
        """All that match, or none that is left out."""
        if self.status:
            return (self.status,)
        return STATES[self.state] if self.state else tuple(Status)

    @property
    def by_due_time(self) -> bool:
        return self.state == State.UPCOMING or self.due is not None

    @property
    def is_state_alone(self) -> bool:
        return self == Filters(state=self.state) and self.state is not None


@dataclass(frozen=True)
class Counts:
    """How many publications match the filters; `by_status` counts those of the other statuses as well.

    COUNTED + 1 stands for any greater number.
    """

    total: int
    by_status: Mapping[str, int]


@dataclass(frozen=True)
class Line:
    """One event: what happened, the reason in Russian, and the platform's answer.

    `step` is the adapter's name of the step that an event is about; without one, `name` is the event's own.
    """

    at: datetime
    kind: str
    name: str | None
    step: str = ""
    reason: str = ""
    detail: str | None = None


@dataclass(frozen=True)
class Attempt:
    """Lines of one attempt, oldest first; number 0: before the first attempt."""

    number: int
    lines: list[Line] = field(default_factory=list)


# On cards


def for_clips(user: User, clip_ids: Sequence[int]) -> dict[int, list[Publication]]:
    """For each clip the latest publication on each account, cancelled ones left out. One query."""
    newest = (
        select(func.max(Publication.id))
        # By the clip alone: with the user as well, SQLite would scan all that the user has.
        .where(Publication.clip_id.in_(clip_ids))
        .group_by(Publication.clip_id, Publication.platform, Publication.account_id)
    )
    found: dict[int, list[Publication]] = {}
    for publication in db.session.scalars(
        select(Publication)
        .where(Publication.id.in_(newest), Publication.user_id == user.id, Publication.status != Status.CANCELLED)
        .order_by(Publication.id)
    ):
        found.setdefault(publication.clip_id, []).append(publication)
    return found


# The list


def page(
    user: User, filters: Filters, number: int = 1, per_page: int = PER_PAGE, counted: int | None = None
) -> Page[Publication]:
    """Newest first, or by due time, each with its clip loaded. `counted`: the total of `counts()`, where it is there
    already.
    """
    if filters.state and (filters.state == State.UPCOMING or len(filters.statuses) > 1):
        narrowed = _sorted(user, filters)
    else:
        only = filters.statuses[0] if len(filters.statuses) == 1 else None
        narrowed = _narrowed(user, filters, only)
    return paginate(narrowed, number, per_page, joinedload(Publication.clip), counted=counted)


def _sorted(user: User, filters: Filters) -> Select[tuple[Publication]]:
    """Of several statuses, or by due time: each status by its index, which cannot be left for another one because of
    the limit, and then sorted.
    """
    columns = Publication.id, Publication.due_at
    each = (
        _narrowed(user, filters, status).with_only_columns(*columns).limit(_MOST_SORTED).subquery()
        for status in filters.statuses
    )
    found = union_all(*map(select, each)).subquery()
    order = (found.c.due_at, found.c.id) if filters.by_due_time else (found.c.id.desc(),)
    return select(Publication).join(found, found.c.id == Publication.id).order_by(*order)


def counts(user: User, filters: Filters) -> Counts:
    """One query. Each status by itself: only as many rows of an index are read as are counted."""
    each = db.session.execute(
        select(*(count_subquery(COUNTED, _narrowed(user, filters, status)).label(status) for status in Status))
    ).one()
    by_status = {status: number for status, number in each._mapping.items() if number}
    total = sum(by_status.get(status, 0) for status in filters.statuses)
    return Counts(min(total, COUNTED + 1), by_status)


def clips_published(user: User, chosen: int | None = None) -> dict[int, str]:
    """Titles by id of the newest clips that have publications, and of the chosen one: for the filter «Клип»."""
    published = select(Publication.id).where(Publication.clip_id == Clip.id).exists()
    newest = (
        select(Clip.id, Clip.title)
        .where(indexed_eq(Clip.user_id, user.id), published)
        .order_by(Clip.user_id.desc(), Clip.id.desc())
        .limit(MAX_TITLES)
        .subquery()
    )
    asked_for = select(Clip.id, Clip.title).where(
        Clip.user_id == user.id, published, Clip.id == (chosen if chosen and 0 < chosen < MAX_ID else None)
    )
    # Not "or": it would scan all of the user's clips.
    titles = db.session.execute(union(select(newest), asked_for))
    return dict(sorted(titles.all(), reverse=True))


def _narrowed(user: User, filters: Filters, status: Status | None) -> Select[tuple[Publication]]:
    """The newest first, or by due time. Those of a clip are few; else by the index that has just these columns."""
    narrower = [
        (column, value)
        for column, value in ((Publication.platform, filters.platform), (Publication.status, status))
        if value
    ]
    if filters.clip_id:
        # With the publication's user as well, SQLite would scan all that the user has.
        theirs = select(Clip.id).where(Clip.id == filters.clip_id, Clip.user_id == user.id).scalar_subquery()
        where = [Publication.clip_id == theirs, *(column == value for column, value in narrower)]
        order = [Publication.id.desc()]
    elif filters.due:
        # So that no other index fits: those of a day are few.
        where = [Publication.user_id == user.id, *(column.concat("") == value for column, value in narrower)]
        order = []
    else:
        *first, last = [(Publication.user_id, user.id), *narrower]
        where = [*(column == value for column, value in first), indexed_eq(*last)]
        order = [last[0].desc(), Publication.id.desc()]
    if filters.due:
        where += [Publication.due_at >= filters.due[0], Publication.due_at < filters.due[1]]
        order = [Publication.due_at, Publication.id]
    for word in fold(filters.words).split()[:MAX_WORDS]:
        where.append(Publication.search_text.contains(word, autoescape=True))
    return select(Publication).where(*where).order_by(*order)


# The poll


def version(publication: Publication) -> str:
    """Changes with all that a page shows of the publication.

    Every change raises its clip's version (`models.touch`); once the clip is gone only moves are left, and those
    raise the fence.
    """
    return _version(publication.fence, publication.clip.version if publication.clip else None)


def story_version(publication: Publication, story: Sequence[Attempt]) -> str:
    """The same for the publication's own page, which shows every step."""
    return f"{version(publication)}.{sum(len(attempt.lines) for attempt in story)}"


def _version(fence: int, clip_version: int | None) -> str:
    return f"{fence}.{clip_version or 0}"


def changed(user: User, known: Mapping[int, str]) -> list[Publication]:
    """Those that have changed, newest first. `known` is the version that the page has, by publication id."""
    known = dict(list(known.items())[:MAX_KNOWN])
    rows = db.session.execute(
        select(Publication.id, Publication.fence, Clip.version)
        .outerjoin(Clip, Clip.id == Publication.clip_id)
        .where(Publication.user_id == user.id, Publication.id.in_(known))
    ).all()
    newer = [number for number, fence, clip_version in rows if known[number] != _version(fence, clip_version)]
    if not newer:
        return []
    return list(
        db.session.scalars(
            select(Publication)
            .where(Publication.id.in_(newer))
            .options(joinedload(Publication.clip))
            .order_by(Publication.id.desc())
        )
    )


# One publication


def attempts(publication: Publication) -> list[Attempt]:
    """The publication's history, oldest first."""
    events = db.session.scalars(
        select(PublicationEvent).where(PublicationEvent.publication_id == publication.id).order_by(PublicationEvent.id)
    )
    return list(_by_attempt(publication.platform, events))


def _by_attempt(platform: str, events: Iterator[PublicationEvent]) -> Iterator[Attempt]:
    """A scheduled publication waits in attempt 0; one that goes out at once begins with the first."""
    attempt, over = None, False
    for event in events:
        if attempt is None:
            attempt = Attempt(0 if event.status == Status.SCHEDULED else 1)
        elif (
            (over and event.kind != Status.CANCELLED)
            or event.kind in _AGAIN
            or (attempt.number == 0 and event.status == Status.PUBLISHING)
        ):
            yield attempt
            attempt = Attempt(attempt.number + 1)
        line = _line(platform, event)
        if attempt.lines and _repeats(attempt.lines[-1], line):
            attempt.lines.pop()
        attempt.lines.append(line)
        over = event.kind == "retry"
    if attempt:
        yield attempt


def _repeats(before: Line, line: Line) -> bool:
    """A commit that is begun again since the platform was not ready for it: for a large file dozens of times."""
    return line.kind == "commit_started" and (before.kind, before.step) == (line.kind, line.step)


def _line(platform: str, event: PublicationEvent) -> Line:
    if event.kind in _OF_STEPS and event.name:
        name = event.name.removesuffix(SINCE)
        kind = event.kind if name == event.name else "waiting"
        step = platforms.ADAPTERS[platform].steps.get(name, "очередной шаг")
        return Line(event.at, kind, None, step=step, detail=event.detail)
    what, advice = texts.reason(event.name, detail=event.detail) if event.name in texts.REASONS else ("", "")
    # What is retried by itself leaves the user nothing to do.
    reason = what if event.kind in ("retry", "incident") else f"{what}. {advice}" if what else ""
    return Line(event.at, event.kind, event.name, reason=reason, detail=event.detail)
