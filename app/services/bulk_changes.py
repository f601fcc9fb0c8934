"""Many publications at once: moved by so much, cancelled, sent once more. Each has its own result."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.db import db
from app.models import LIVE, Publication, Status, Undo, User
from app.problems import NotFound, Problem
from app.services import history, moves, publications, retries, spreading
from app.services.bulk import MAX_PUBLICATIONS
from app.services.moves import Move

MAX_AMOUNT = 999


class Unit(StrEnum):
    HOURS = "hours"
    DAYS = "days"


@dataclass(frozen=True)
class Changed:
    """Ids of what was done, and the refusals by id of what was not; `undo` takes back what was done, if it can be."""

    done: list[int]
    refused: dict[int, Problem | NotFound] = field(default_factory=dict)
    undo: Undo | None = None


def chosen(user: User, publication_ids: Sequence[int]) -> list[Publication]:
    """Of the publications that a form names those that are the user's, each with its clip, by due time."""
    ids = list(dict.fromkeys(publication_ids))[:MAX_PUBLICATIONS]
    mine = select(Publication).where(Publication.user_id == user.id, Publication.id.in_(ids))
    mine = mine.options(joinedload(Publication.clip)).execution_options(populate_existing=True)
    return list(db.session.scalars(mine.order_by(Publication.due_at, Publication.id)))


# What an action is for, of a clip's newest publication on each account.
_MEANT: dict[str, tuple[Status, ...]] = {"move": (Status.SCHEDULED,), "cancel": LIVE, "retry": (Status.FAILED,)}


def of_clips(user: User, clip_ids: Sequence[int], action: str) -> list[int]:
    """Ids of the clips' publications that the action is for."""
    meant = _MEANT.get(action, ())
    found = history.for_clips(user, list(dict.fromkeys(clip_ids)))
    return [one.id for some in found.values() for one in some if one.status in meant]


def move_by(user: User, publication_ids: Sequence[int], amount: int, unit: Unit) -> Changed:
    """Later by so many hours or days, or earlier where it is negative. A day later is the same time of the day."""
    rows = select(Publication.id, Publication.due_at).where(
        Publication.user_id == user.id, Publication.id.in_(publication_ids)
    )
    to = [Move(row.id, _later(user, row.due_at, amount, unit)) for row in db.session.execute(rows)]
    result = moves.move_many(user, to)
    return Changed(result.moved, result.refused, result.undo)


def _later(user: User, due_at: datetime, amount: int, unit: Unit) -> datetime:
    return due_at + timedelta(hours=amount) if unit == Unit.HOURS else spreading.later_by_days(user, due_at, amount)


def parse_amount(typed: str, unit: str, *, earlier: bool) -> tuple[int, Unit]:
    """Raises Problem at the field «amount»."""
    if not (typed.isascii() and typed.isdigit() and 0 < int(typed[:6]) <= MAX_AMOUNT) or unit not in list(Unit):
        raise Problem("move_amount_malformed", "amount", max=MAX_AMOUNT)
    return -int(typed) if earlier else int(typed), Unit(unit)


def cancel(user: User, publication_ids: Sequence[int]) -> Changed:
    result = publications.cancel_many(user, publication_ids)
    return Changed(result.cancelled, result.refused, result.undo)


def retry(user: User, publication_ids: Sequence[int]) -> Changed:
    """«Повторить» what has failed. Not taken back: it can be cancelled."""
    refused = retries.retry_many(user, publication_ids)
    return Changed(sorted(set(publication_ids) - refused.keys()), refused)
