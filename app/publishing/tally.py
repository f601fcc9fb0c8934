"""Keeps the statistics ready: what was gained by clip, platform and day is added up when it changes, not when it is
looked at.

A publication that is not counted as it is now has no `tallied_at` (the database sees to that, migration 0006). What it
belongs to is then made anew from its publications and samples, so whatever came in whatever order, the numbers are
those that a recount would give. The same happens to a clip's place in the list on the day on which a period leaves
gains behind.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    and_,
    case,
    cast,
    column,
    delete,
    func,
    insert,
    inspect,
    literal,
    or_,
    select,
    union_all,
    update,
    values,
)

from app import clock
from app.extensions import db, writing
from app.models import (
    PERIODS,
    Clip,
    Publication,
    Standing,
    StandingDay,
    StandingPlatform,
    StatsSample,
    Status,
    Tally,
    User,
)
from app.models.types import UTCDateTime
from app.platforms.base import COUNTS

_AT_ONCE = 2000  # clips in one transaction: SQLite's one write lock is held no longer than that takes
_LONGEST = max(PERIODS)

# What of a standing's rows is added up in the total's.
_ADDED_UP = {
    StandingPlatform: ("publications", *(f"with_{count}" for count in COUNTS), "views"),
    StandingDay: COUNTS,
}


def calendar(zone_name: str, days: int) -> list[tuple[date, datetime]]:
    """Each of the last `days` days, today included, with the moment (UTC) when it begins in that zone."""
    today = clock.to_zone(clock.now(), zone_name).date()
    every = [today - timedelta(days=back) for back in reversed(range(days))]
    return [(day, datetime.combine(day, time.min, clock.zone(zone_name)).astimezone(UTC)) for day in every]


def catch_up(user_id: int, zone_name: str) -> int | None:
    """Counts what is not counted yet; mostly nothing, found by one query. Answers the id of the user's total Standing,
    None where nothing has been published.
    """
    today = calendar(zone_name, 1)[0][0].toordinal()
    while True:
        waiting = db.session.execute(_waiting(user_id, today)).one()
        if waiting.zone == zone_name and not (waiting.uncounted or waiting.orphans or waiting.rolls):
            return waiting.total_id
        if waiting.zone is None and not waiting.uncounted:
            return None
        with writing():
            done = _round(user_id, zone_name, today)
        if not done:  # what is left is being changed by somebody at this moment
            return db.session.scalar(select(Tally.total_id).where(Tally.user_id == user_id))


def _waiting(user_id: int, today: int) -> Select:
    """What there is to do, each part by an index of its own."""
    tally = select(Tally).where(Tally.user_id == user_id).subquery()
    nobody = select(literal(user_id).label("id")).subquery()
    return select(
        tally.c.zone,
        tally.c.total_id,
        select(1).where(*_uncounted(user_id)).exists().label("uncounted"),
        select(1).where(*_orphans(user_id), Standing.id != tally.c.total_id).exists().label("orphans"),
        select(1).where(*_rolling(user_id, today)).exists().label("rolls"),
    ).select_from(nobody.outerjoin(tally, tally.c.user_id == nobody.c.id))


def _uncounted(user_id: int) -> tuple:
    return (
        Publication.user_id == user_id,
        Publication.status == Status.PUBLISHED,
        Publication.tallied_at.is_(None),
    )


def _orphans(user_id: int) -> tuple:
    """Of clips that are gone; their publications are counted again, by title. The total has neither as well."""
    return Standing.user_id == user_id, Standing.clip_id.is_(None), Standing.title.is_(None)


def _rolling(user_id: int, today: int) -> tuple:
    return Standing.user_id == user_id, Standing.rolls_on <= today


def _round(user_id: int, zone_name: str, today: int) -> bool:
    """One transaction's share of the work. False if there was nothing that could be done."""
    total_id = _lock(user_id, zone_name)
    if total_id is None:
        return False
    orphans = _ids(select(Standing.id).where(*_orphans(user_id), Standing.id != total_id))
    if orphans:
        _replace(total_id, orphans, lambda: db.session.execute(delete(Standing).where(Standing.id.in_(orphans))))
        return True
    standings = _take(user_id)
    if standings:
        _replace(total_id, standings, lambda: _recount(standings, zone_name))
        _place(standings, today)
        return True
    rolling = _ids(select(Standing.id).where(*_rolling(user_id, today)))
    _place(rolling, today)
    return bool(rolling)


def _lock(user_id: int, zone_name: str) -> int | None:
    """Nobody else counts for this user until the end of the transaction. Days of another zone are of no use."""
    # Locking the user's row makes the first two in turn as well; NO KEY, so that nobody who inserts rows has to wait.
    alive = db.session.scalar(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    if alive is None:
        return None
    tally = db.session.get(Tally, user_id, populate_existing=True)
    if tally and tally.zone == zone_name:
        return tally.total_id
    if tally:
        db.session.execute(delete(Standing).where(Standing.user_id == user_id))
        db.session.execute(delete(Tally).where(Tally.user_id == user_id))
        db.session.expunge(tally)
        db.session.execute(
            update(Publication)
            .where(Publication.user_id == user_id, Publication.tallied_at.is_not(None))
            .values(tallied_at=None)
        )
    total = Standing(user_id=user_id)
    db.session.add(total)
    db.session.flush()
    db.session.add(Tally(user_id=user_id, zone=zone_name, total_id=total.id))
    db.session.flush()
    return total.id


def _ids(query: Select) -> list[int]:
    return list(db.session.scalars(query.limit(_AT_ONCE)))


def _take(user_id: int) -> list[int]:
    """Marks publications as counted and answers the standings that they belong to, new ones too."""
    some = db.session.execute(
        select(Publication.clip_id, Publication.title).where(*_uncounted(user_id)).limit(_AT_ONCE)
    ).all()
    clip_ids = {row.clip_id for row in some if row.clip_id is not None}
    titles = {row.title for row in some if row.clip_id is None}
    # Nobody deletes these while we refer to them.
    clip_ids = set(
        db.session.scalars(select(Clip.id).where(Clip.id.in_(clip_ids)).with_for_update(read=True, key_share=True))
    )
    theirs = (
        Publication.clip_id.in_(clip_ids),
        and_(Publication.user_id == user_id, Publication.clip_id.is_(None), Publication.title.in_(titles)),
    )
    for of in theirs:
        # What somebody is changing comes the next time. Marked before it is counted: a sample that comes later unmarks.
        free = select(Publication.id).where(of, *_uncounted(user_id)).with_for_update(skip_locked=True)
        db.session.execute(update(Publication).where(Publication.id.in_(free)).values(tallied_at=clock.now()))
    known = select(Standing.id, Standing.clip_id, Standing.title).where(Standing.user_id == user_id)
    by_clip = {row.clip_id: row.id for row in db.session.execute(known.where(Standing.clip_id.in_(clip_ids)))}
    by_title = {row.title: row.id for row in db.session.execute(known.where(Standing.title.in_(titles)))}
    new = [{"user_id": user_id, "clip_id": clip_id, "title": None} for clip_id in sorted(clip_ids - by_clip.keys())]
    new += [{"user_id": user_id, "clip_id": None, "title": title} for title in sorted(titles - by_title.keys())]
    made = db.session.scalars(insert(Standing).returning(Standing.id), new).all() if new else []
    return [*by_clip.values(), *by_title.values(), *made]


def _replace(total_id: int, standings: Sequence[int], change: Callable[[], object]) -> None:
    """Changes rows of some standings, and the total by what that makes of them."""
    before = _rows_of(standings)
    change()
    after = _rows_of(standings)
    for model, columns in _ADDED_UP.items():
        for key in before[model].keys() | after[model].keys():
            more = [now - then for now, then in zip(after[model][key], before[model][key], strict=True)]
            if any(more):
                _add(model, total_id, key, dict(zip(columns, more, strict=True)))
    db.session.flush()


def _rows_of(standings: Sequence[int]) -> dict[type, dict[tuple, Sequence[int]]]:
    """Sums of the columns that are added up, by the rest of the key."""
    found = {}
    for model, columns in _ADDED_UP.items():
        key = [one for one in inspect(model).primary_key if one.name != "standing_id"]
        rows = db.session.execute(
            select(*key, *(cast(func.sum(getattr(model, name)), BigInteger) for name in columns))
            .where(model.standing_id.in_(standings))
            .group_by(*key)
        )
        nothing = [0] * len(columns)
        found[model] = defaultdict(lambda nothing=nothing: nothing)
        found[model].update({tuple(row[: len(key)]): row[len(key) :] for row in rows})
    return found


def _add(model: type, total_id: int, key: tuple, more: dict[str, int]) -> None:
    row = db.session.get(model, (total_id, *key), populate_existing=True)
    if row is None:
        names = [one.name for one in inspect(model).primary_key]
        row = model(**dict(zip(names, (total_id, *key), strict=True)), **dict.fromkeys(_ADDED_UP[model], 0))
        db.session.add(row)
    for name, value in more.items():
        setattr(row, name, getattr(row, name) + value)


def _recount(standings: Sequence[int], zone_name: str) -> None:
    for model in _ADDED_UP:
        db.session.execute(delete(model).where(model.standing_id.in_(standings)))
    members = _members(standings)
    platforms = select(
        members.c.standing_id,
        members.c.platform,
        func.count(),
        *(func.count(members.c[count]) for count in COUNTS),
        func.max(members.c.id),
        func.sum(func.coalesce(members.c.views, 0)),
    ).group_by(members.c.standing_id, members.c.platform)
    names = ("standing_id", "platform", "publications", *(f"with_{count}" for count in COUNTS), "newest", "views")
    db.session.execute(insert(StandingPlatform).from_select(names, platforms))
    db.session.execute(
        insert(StandingDay).from_select(("standing_id", "platform", "day", *COUNTS), _days(members, zone_name))
    )


def _members(standings: Sequence[int]) -> CTE:
    """The publications of each standing."""
    columns = [getattr(Publication, name) for name in ("id", "platform", *COUNTS)]
    chosen = select(Standing.id.label("standing_id"), *columns).where(
        Standing.id.in_(standings), Publication.status == Status.PUBLISHED
    )
    of_clip = chosen.join(Publication, Publication.clip_id == Standing.clip_id)
    of_title = chosen.where(Standing.clip_id.is_(None)).join(
        Publication,
        and_(
            Publication.user_id == Standing.user_id,
            Publication.title == Standing.title,
            Publication.clip_id.is_(None),
        ),
    )
    return union_all(of_clip, of_title).cte("members")


def _days(members: CTE, zone_name: str) -> Select:
    """Each sample gains what it has more than all before it: a count that falls gains nothing until it is higher than
    ever. What a period can show no more is left out.
    """
    begins = calendar(zone_name, _LONGEST)
    ends = [begin for _, begin in begins[1:]] + [datetime.max.replace(tzinfo=UTC)]
    days = (
        values(column("day", Integer), column("begins", UTCDateTime), column("ends", UTCDateTime), name="days")
        .data([(day.toordinal(), begin, end) for (day, begin), end in zip(begins, ends, strict=True)])
        .cte("days")
    )
    gained = []
    for count in COUNTS:
        value = getattr(StatsSample, count)
        peak = func.coalesce(
            func.max(value).over(
                partition_by=StatsSample.publication_id, order_by=(StatsSample.at, StatsSample.id), rows=(None, -1)
            ),
            0,
        )
        gained.append(case((value > peak, value - peak), else_=0).label(count))
    samples = (
        select(members.c.standing_id, members.c.platform, StatsSample.at, *gained)
        .join(StatsSample, StatsSample.publication_id == members.c.id)
        .subquery("samples")
    )
    gains = [samples.c[count] for count in COUNTS]
    return (
        select(samples.c.standing_id, samples.c.platform, days.c.day, *map(func.sum, gains))
        .join(days, and_(samples.c.at >= days.c.begins, samples.c.at < days.c.ends))
        .where(or_(*(gain > 0 for gain in gains)))
        .group_by(samples.c.standing_id, samples.c.platform, days.c.day)
    )


def _place(standings: Sequence[int], today: int) -> None:
    """What the list is sorted by, and when it changes by the calendar alone."""

    def of(model: type, what: ColumnElement, *where: ColumnElement[bool]) -> ScalarSelect:
        return select(func.coalesce(what, 0)).where(model.standing_id == Standing.id, *where).scalar_subquery()

    day = StandingDay.day
    leaves = case(*((day > today - days, day + days) for days in PERIODS))
    shown = select(func.min(leaves)).where(StandingDay.standing_id == Standing.id, StandingDay.views > 0)
    places = {f"views_{days}": of(StandingDay, func.sum(StandingDay.views), day > today - days) for days in PERIODS}
    db.session.execute(
        update(Standing)
        .where(Standing.id.in_(standings))
        .values(
            newest=of(StandingPlatform, func.max(StandingPlatform.newest)),
            views=of(StandingPlatform, func.sum(StandingPlatform.views)),
            rolls_on=shown.scalar_subquery(),
            **places,
        )
        .execution_options(synchronize_session=False)
    )
