"""«Перенести»: scheduled publications to another time, one or many at once, and back for some seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, select

from app.db import db
from app.models import Publication, Status, Undo, UndoKind, User, lock_plan
from app.problems import NotFound, Problem
from app.publishing import rescheduling
from app.services import due_times, slots, undo


@dataclass(frozen=True)
class Move:
    """A publication to its new due time (UTC); `slot_id`: the slot in which it waits from then on."""

    publication_id: int
    due_at: datetime
    slot_id: int | None = None


@dataclass(frozen=True)
class Moved:
    """Ids of what was moved, and the refusals by id of what was not; `undo` takes back what was moved."""

    moved: list[int]
    refused: dict[int, Problem | NotFound]
    undo: Undo | None


def move(user: User, publication_id: int, due_at: datetime) -> Undo | None:
    """One publication. None where it has that time already. Raises NotFound, Problem."""
    result = move_many(user, [Move(publication_id, due_at)])
    if publication_id in result.refused:
        raise result.refused[publication_id]
    return result.undo


def move_many(user: User, moves: Sequence[Move]) -> Moved:
    """Each by itself: one that is refused does not keep back the others. A time that a publication has already counts
    as moved to.

    A wake-up that is in the queue already finds its row not due.
    """
    wanted = {one.publication_id: one for one in moves}
    in_slots = any(one.slot_id for one in moves)
    if in_slots:
        lock_plan(user.id)
    mine = select(Publication.id, Publication.clip_id, Publication.due_at, Publication.status, Publication.slot_id)
    known = {
        row.id: row
        for row in db.session.execute(mine.where(Publication.user_id == user.id, Publication.id.in_(wanted)))
    }
    taken = _taken(user, known, wanted) if in_slots else {}
    refused: dict[int, Problem | NotFound] = {}
    there: list[int] = []
    to: dict[int, tuple[datetime, int | None]] = {}
    for number, one in wanted.items():
        try:
            if number in taken:
                raise taken[number]
            if _is_there(user, known.get(number), one):
                there.append(number)
            else:
                to[number] = one.due_at, one.slot_id
        except (Problem, NotFound) as refusal:
            refused[number] = refusal
    kept = rescheduling.move_many(to)
    moved = {one["id"] for one in kept}
    refused |= {number: Problem("not_scheduled") for number in to.keys() - moved}
    held = undo.hold(user, UndoKind.MOVE, publications=kept) if kept else None
    return Moved(sorted([*there, *moved]), refused, held)


def _taken(user: User, known: Mapping[int, Row], wanted: Mapping[int, Move]) -> dict[int, Problem | NotFound]:
    """Refusals by publication: another clip waits in the slot by now."""
    wishes = {
        number: (one.slot_id, one.due_at, known[number].clip_id)
        for number, one in wanted.items()
        if one.slot_id and number in known
    }
    refused = slots.check_free(user, wishes.values())
    return {number: refused[wish] for number, wish in wishes.items() if wish in refused}


def _is_there(user: User, row: Row | None, to: Move) -> bool:
    """Whether it has that time already. `row`: of the publication, as it is; None where the user has none.

    Raises NotFound, Problem.
    """
    if row is None:
        raise NotFound
    if row.status != Status.SCHEDULED:
        raise Problem("not_scheduled")
    due_times.check(user, to.due_at)
    return row.due_at == to.due_at and to.slot_id in (None, row.slot_id)
