"""«Перенести»: scheduled publications to another time, one or many at once, and back for some seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.db import db
from app.models import Publication, Status, Undo, UndoKind, User
from app.problems import NotFound, Problem
from app.publishing import rescheduling
from app.publishing.rescheduling import Kept
from app.services import due_times, undo


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
    mine = select(Publication.id, Publication.due_at, Publication.status, Publication.slot_id)
    known = {
        row.id: row
        for row in db.session.execute(mine.where(Publication.user_id == user.id, Publication.id.in_(wanted)))
    }
    moved: list[int] = []
    refused: dict[int, Problem | NotFound] = {}
    kept: list[Kept] = []
    for number in sorted(wanted):  # in one order, so that two requests at once do not wait for each other
        try:
            kept += _move(user, known.get(number), wanted[number])
            moved.append(number)
        except (Problem, NotFound) as refusal:
            refused[number] = refusal
    return Moved(moved, refused, undo.hold(user, UndoKind.MOVE, publications=kept) if kept else None)


def _move(user: User, row, to: Move) -> list[Kept]:
    """`row`: of the publication, as it is; None where the user has none."""
    if row is None:
        raise NotFound
    due_times.check(user, to.due_at)
    if row.status == Status.SCHEDULED and (row.due_at, row.slot_id) == (to.due_at, to.slot_id):
        return []
    kept = rescheduling.move(row.id, to.due_at, to.slot_id)
    if kept is None:
        raise Problem("not_scheduled")
    return [kept]
