"""What statistics are made of: a standing's rows, from its publications and their samples."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Delete,
    Integer,
    ScalarSelect,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from app import clock
from app.db import db
from app.models import PERIODS, Publication, Standing, StandingDay, StandingPlatform, StatsSample, Status
from app.platforms.base import COUNTS


def recount(standings: Sequence[int], zone_name: str) -> None:
    """Makes their rows anew, with that zone's days."""
    for model in (StandingPlatform, StandingDay):
        change(delete(model).where(among(model.standing_id, standings)))
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
        among(Standing.id, standings), Publication.status == Status.PUBLISHED
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
    shown = clock.days(zone_name, max(PERIODS))
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
    at, day = StatsSample.at, _day_of(StatsSample.at, shown).label("day")
    samples = (
        select(members.c.standing_id, members.c.platform, at, day, *gained)
        .join(StatsSample, StatsSample.publication_id == members.c.id)
        .subquery("samples")
    )
    gains = [samples.c[count] for count in COUNTS]
    return (
        select(samples.c.standing_id, samples.c.platform, samples.c.day, *map(func.sum, gains))
        .where(samples.c.at >= shown[0][1], or_(*(gain > 0 for gain in gains)))
        .group_by(samples.c.standing_id, samples.c.platform, samples.c.day)
    )


def _day_of(at: ColumnElement[datetime], days: Sequence[tuple[date, datetime]]) -> ColumnElement[int]:
    """The day in which a moment lies, halving the days each time: neither database knows every zone by itself."""
    if len(days) == 1:
        return literal(days[0][0].toordinal(), Integer)
    later = len(days) // 2
    return case((at < days[later][1], _day_of(at, days[:later])), else_=_day_of(at, days[later:]))


def place(standings: Sequence[int], today: int) -> None:
    """What the list is sorted by, and when it changes by the calendar alone."""

    def of(model: type, what: ColumnElement, *where: ColumnElement[bool]) -> ScalarSelect:
        return select(func.coalesce(what, 0)).where(model.standing_id == Standing.id, *where).scalar_subquery()

    day = StandingDay.day
    leaves = case(*((day > today - days, day + days) for days in PERIODS))
    shown = select(func.min(leaves)).where(StandingDay.standing_id == Standing.id, StandingDay.views > 0)
    places = {f"views_{days}": of(StandingDay, func.sum(StandingDay.views), day > today - days) for days in PERIODS}
    change(
        update(Standing)
        .where(among(Standing.id, standings))
        .values(
            newest=of(StandingPlatform, func.max(StandingPlatform.newest)),
            views=of(StandingPlatform, func.sum(StandingPlatform.views)),
            rolls_on=shown.scalar_subquery(),
            **places,
        )
    )


def change(statement: Update | Delete) -> int:
    """Of many rows, none of which the session knows; answers how many."""
    return db.session.execute(statement, execution_options={"synchronize_session": False}).rowcount


def among(one: InstrumentedAttribute, values: Collection[Any]) -> ColumnElement[bool]:
    """As `in_()`; PostgreSQL takes thousands of values faster as one array than as so many parameters."""
    if db.engine.dialect.name == "postgresql":
        return one == func.any(bindparam(None, list(values), ARRAY(one.type), unique=True))
    return one.in_(values)
