"""Keeps the statistics ready: what was gained by clip, platform and day is added up when it changes, not when it is
looked at.

A publication that is not counted as it is now is `Uncounted` (the database sees to that, migration 0006). What it
belongs to is then made anew from its publications and samples, so whatever came in whatever order, the numbers are
those that a recount would give. The same happens to a clip's place in the list on the day on which a period leaves
gains behind.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ScalarSelect,
    Select,
    and_,
    cast,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute

from app import clock
from app.db import db, reading, transaction, writing
from app.models import Clip, Publication, Standing, StandingDay, StandingPlatform, Status, Tally, Uncounted, User
from app.platforms.base import COUNTS
from app.statistics import recount

_MANY = 5  # rounds
_AT_ONCE = 2000  # clips in one transaction: SQLite's one write lock is held no longer than that takes
_IN_A_TICK = 200  # which must not keep other ticks waiting

# In words that both databases know: what a worker notes meanwhile is there already.
_NOTE_ALL = """
INSERT INTO uncounted (publication_id, user_id)
SELECT id, user_id FROM publications WHERE user_id = :user_id AND status = :status
ON CONFLICT (publication_id) DO NOTHING
"""

# What of a standing's rows is added up in the total's.
_ADDED_UP = {
    StandingPlatform: ("publications", *(f"with_{count}" for count in COUNTS), "views"),
    StandingDay: COUNTS,
}


@dataclass(frozen=True)
class Waiting:
    """`total_id` is of the user's total Standing, None where nothing was published; whether `anything` is uncounted."""

    total_id: int | None
    anything: bool


def catch_up(user_id: int, zone_name: str, within: float = math.inf) -> Waiting:
    """Counts what is not counted yet, as far as it gets in so many seconds; mostly nothing, found by one query."""
    today, rounds, give_up = _today(zone_name), 0, time.monotonic() + within
    while (waiting := _waiting(user_id, zone_name, today)).anything and time.monotonic() < give_up:
        with writing():
            done = _round(user_id, zone_name, today)
        if not done:
            break  # what is left is being changed by somebody at this moment
        rounds += 1
    if rounds >= _MANY:
        with writing():
            look_again()
    return waiting


def look_again() -> None:
    """PostgreSQL would plan for the tables as they were, until it looks at them by itself some minutes later."""
    if db.engine.dialect.name == "postgresql":
        tables = ", ".join(model.__tablename__ for model in (Uncounted, Standing, *_ADDED_UP))
        db.session.execute(text(f"ANALYZE {tables}"))


def catch_up_somebody() -> None:
    """A share of what nobody has looked at yet, as after a migration or a restore: for a tick."""
    # By the key: after many were crossed off, PostgreSQL would look for the rest in their empty places.
    first = select(Uncounted.user_id).order_by(Uncounted.publication_id).limit(1)
    with reading():
        someone = db.session.execute(select(User.id, User.timezone).where(User.id == first.scalar_subquery())).first()
    if someone:
        with transaction():
            _round(someone.id, someone.timezone, _today(someone.timezone), _IN_A_TICK)


def _today(zone_name: str) -> int:
    return clock.days(zone_name, 1)[0][0].toordinal()


def _waiting(user_id: int, zone_name: str, today: int) -> Waiting:
    """Whether there is something to do; each part is found by an index of its own."""
    tally = select(Tally.zone, Tally.total_id).where(Tally.user_id == user_id).subquery()
    found = db.session.execute(
        select(
            tally.c.zone,
            tally.c.total_id,
            _first_uncounted(user_id).label("uncounted"),
            select(1).where(*_orphans(user_id), Standing.id != tally.c.total_id).exists().label("orphans"),
            select(1).where(*_rolling(user_id, today)).exists().label("rolls"),
        ).select_from(select(1).subquery().outerjoin(tally, true()))
    ).one()
    moved = found.zone not in (None, zone_name)
    return Waiting(found.total_id, moved or found.uncounted is not None or found.orphans or found.rolls)


def _first_uncounted(user_id: int) -> ScalarSelect[int | None]:
    # Sorted as only the index is: not looked for in everybody's, where PostgreSQL takes it for likely to be met soon.
    return (
        select(Uncounted.publication_id)
        .where(Uncounted.user_id.between(user_id, user_id))
        .order_by(Uncounted.user_id, Uncounted.publication_id)
        .limit(1)
        .scalar_subquery()
    )


def _orphans(user_id: int) -> tuple:
    """Of clips that are gone; their publications are counted again, by title. The total has neither as well."""
    return Standing.user_id == user_id, Standing.clip_id.is_(None), Standing.title.is_(None)


def _rolling(user_id: int, today: int) -> tuple:
    return Standing.user_id == user_id, Standing.rolls_on <= today


def _round(user_id: int, zone_name: str, today: int, most: int = _AT_ONCE) -> bool:
    """One transaction's share of the work. False if there was nothing that could be done."""
    total_id = _lock(user_id, zone_name)
    if total_id is None:
        return False
    orphans = _ids(select(Standing.id).where(*_orphans(user_id), Standing.id != total_id), most)
    if orphans:
        _replace(total_id, orphans, lambda: recount.change(delete(Standing).where(recount.among(Standing.id, orphans))))
        return True
    standings = _take(user_id, most)
    if standings:
        _replace(total_id, standings, lambda: recount.recount(standings, zone_name))
        recount.place(standings, today)
        return True
    rolling = _ids(select(Standing.id).where(*_rolling(user_id, today)), most)
    recount.place(rolling, today)
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
        db.session.delete(tally)
        db.session.flush()
        recount.change(delete(Standing).where(Standing.user_id == user_id))
        db.session.execute(text(_NOTE_ALL), {"user_id": user_id, "status": Status.PUBLISHED})
    total = Standing(user_id=user_id)
    db.session.add(total)
    db.session.flush()
    db.session.add(Tally(user_id=user_id, zone=zone_name, total_id=total.id))
    db.session.flush()
    return total.id


def _ids(query: Select, most: int) -> list[int]:
    return list(db.session.scalars(query.limit(most)))


def _take(user_id: int, most: int) -> list[int]:
    """Crosses publications off the list and answers the standings that they belong to, new ones too. Nothing where
    each is being changed by somebody at this moment.
    """
    waiting = select(Uncounted.publication_id).join(Publication, Publication.id == Uncounted.publication_id)
    some = db.session.execute(
        waiting.with_only_columns(Publication.clip_id, Publication.title)
        .where(Uncounted.user_id == user_id)
        .limit(most)
    ).all()
    clip_ids = {row.clip_id for row in some if row.clip_id is not None}
    titles = {row.title for row in some if row.clip_id is None}
    # Nobody deletes these while we refer to them.
    clip_ids = set(
        db.session.scalars(
            select(Clip.id).where(recount.among(Clip.id, clip_ids)).with_for_update(read=True, key_share=True)
        )
    )
    theirs = (
        recount.among(Publication.clip_id, clip_ids),
        and_(Publication.user_id == user_id, Publication.clip_id.is_(None), recount.among(Publication.title, titles)),
    )
    crossed_off = 0
    for of in theirs:
        # Before they are counted: what changes later is noted again. What somebody is changing now comes the next time.
        free = waiting.where(of).with_for_update(skip_locked=True, of=Uncounted)
        crossed_off += recount.change(delete(Uncounted).where(Uncounted.publication_id.in_(free)))
    if not crossed_off:
        return []
    by_clip = _known(user_id, Standing.clip_id, clip_ids)
    by_title = _known(user_id, Standing.title, titles)
    new = [{"user_id": user_id, "clip_id": clip_id, "title": None} for clip_id in sorted(clip_ids - by_clip.keys())]
    new += [{"user_id": user_id, "clip_id": None, "title": title} for title in sorted(titles - by_title.keys())]
    made = db.session.scalars(insert(Standing).returning(Standing.id), new).all() if new else []
    return [*by_clip.values(), *by_title.values(), *made]


def _known(user_id: int, key: InstrumentedAttribute, values: set[Any]) -> dict[Any, int]:
    """Ids of the standings there are, by clip or title."""
    rows = db.session.execute(select(key, Standing.id).where(Standing.user_id == user_id, recount.among(key, values)))
    return dict(rows.all())


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
            .where(recount.among(model.standing_id, standings))
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
