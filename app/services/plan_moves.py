"""Moving items of the plan: a clip at a time, with all its publications there that still can be moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, false, or_, select

from app.db import db
from app.models import Publication, Status, Undo, User
from app.problems import Problem
from app.services import clips, moves
from app.services.moves import Move

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Moved:
    """What was moved and to when (the first of it), what could not be, and what takes it back."""

    moved: list[Publication]
    due_at: datetime
    stayed: list[Publication]
    undo: Undo | None


def move(user: User, clip_id: int, times: Sequence[datetime], due_at: datetime, *, spaced: bool = False) -> Moved:
    """A clip's items to a new time: all to `due_at`, or the first one, and the others as far from it as they are.

    `times` (minutes, UTC) are those that the page knows: what has been moved in between is not found there, so that the
    second of two tabs is refused. Raises NotFound, Problem.
    """
    clips.get(user, clip_id)
    # In one order, and locked: of two requests at once the second finds what the first has left.
    found = db.session.scalars(
        _at(clip_id, times).with_for_update(of=Publication).execution_options(populate_existing=True)
    ).all()
    scheduled = [one for one in found if one.status == Status.SCHEDULED]
    if not scheduled:
        raise Problem("plan_item_begun" if found else "plan_item_gone")
    first = min(one.due_at for one in scheduled)
    wanted = [Move(one.id, due_at + (one.due_at - first if spaced else timedelta(0))) for one in scheduled]
    result = moves.move_many(user, wanted)
    if not result.moved:
        raise next(iter(result.refused.values()))
    return Moved(
        moved=[one for one in found if one.id in result.moved],
        due_at=min(one.due_at for one in wanted if one.publication_id in result.moved),
        stayed=[one for one in found if one.id not in result.moved],
        undo=result.undo,
    )


def of_clip(user: User, clip_id: int, times: Sequence[datetime] = ()) -> list[Publication]:
    """The clip's publications at these times, or all that are scheduled, by time. Raises NotFound; Problem where none
    can be moved.
    """
    clips.get(user, clip_id)
    query = _at(clip_id, times) if times else _of(clip_id).where(Publication.status == Status.SCHEDULED)
    found = sorted(db.session.scalars(query), key=lambda one: (one.due_at, one.id))
    if not any(one.status == Status.SCHEDULED for one in found):
        raise Problem("plan_item_begun" if found else "plan_item_gone")
    return found


def _of(clip_id: int) -> Select[tuple[Publication]]:
    """By the clip alone, which is the user's: with the user as well, SQLite would scan all that the user has."""
    return select(Publication).where(Publication.clip_id == clip_id)


def _at(clip_id: int, times: Sequence[datetime]) -> Select[tuple[Publication]]:
    minutes = [(Publication.due_at >= at) & (Publication.due_at < at + _MINUTE) for at in times]
    there = _of(clip_id).where(or_(false(), *minutes), Publication.status != Status.CANCELLED)
    return there.order_by(Publication.id)
