"""Deletion of a clip with what depends on it: its live publications are cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.db import db
from app.models import LIVE, Clip, Publication, Status, UndoKind, User
from app.problems import NotFound
from app.publishing import cancellation
from app.services import clips, publications, undo

MAX_CHOSEN = 200  # clips that one deletion may name

MAX_CHOSEN = 200  # clips that one deletion may name


@dataclass(frozen=True)
class Effects:
    """A clip's live publications, by what its deletion does to them: those that are `cancelled`, those of which it
    stays unknown whether the clip is there, and those that are being handed over, which have to be waited for.
    """

    cancelled: list[Publication]
    unconfirmed: list[Publication]
    finishing: list[Publication]


def effects(clip: Clip) -> Effects:
    """What `delete()` would do now."""
    live = db.session.scalars(
        select(Publication)
        .where(Publication.clip_id == clip.id, Publication.status.in_(LIVE))
        .order_by(Publication.id)
        .execution_options(populate_existing=True)
    ).all()
    unconfirmed = [one for one in live if one.status == Status.UNCONFIRMED]
    cancelled = [one for one in live if one not in unconfirmed and publications.can_cancel(one)]
    return Effects(cancelled, unconfirmed, [one for one in live if not publications.can_cancel(one)])


@dataclass(frozen=True)
class Deletion:
    """Which clips were deleted, and what takes that back; `finishing` ones stay: a publication is being handed over."""

    clip_ids: list[int]
    finishing: list[int]
    undo_id: int | None


def delete(user: User, clip_ids: Sequence[int]) -> Deletion:
    """Deletes those of the clips that are there and cancels their live publications; for some seconds it can be taken
    back. Raises NotFound if there is none.
    """
    deleted, finishing, cancelled = [], [], []
    for clip_id in sorted(set(clip_ids)):
        clip = _lock(user, clip_id)
        if clip is None:
            continue
        if effects(clip).finishing:
            finishing.append(clip_id)
            continue
        cancelled += publications.cancel_all_of(clip_id=clip_id)
        deleted.append(clip_id)
    if not deleted and not finishing:
        raise NotFound
    if not deleted:
        return Deletion([], finishing, None)
    held = undo.hold(user, UndoKind.DELETE, publications=cancelled, clip_ids=deleted)
    return Deletion(deleted, finishing, held.id)


def _lock(user: User, clip_id: int) -> Clip | None:
    """From here on no publication of it begins, and none of its live ones goes on.

    The publications first, as a worker locks them.
    """
    live = select(Publication.id).where(Publication.clip_id == clip_id, Publication.status.in_(LIVE))
    db.session.execute(live.order_by(Publication.id).with_for_update())
    mine = select(Clip).where(Clip.id == clip_id, Clip.user_id == user.id).with_for_update()
    return db.session.scalar(mine.execution_options(populate_existing=True))


def remove(user: User, clip_id: int) -> None:
    """For good and at once: an old clip on a plan that does not keep it. Raises NotFound; Problem while a publication
    is being handed over.
    """
    for kept in publications.cancel_all_of(clip_id=clips.get(user, clip_id).id):
        cancellation.finish(kept)
    clips.delete(user, clip_id)


def chosen(user: User, clip_ids: Sequence[int]) -> list[Clip]:
    """Of the clips that a form names those that are the user's, newest first."""
    some = list(dict.fromkeys(clip_ids))[:MAX_CHOSEN]
    return list(
        db.session.scalars(select(Clip).where(Clip.user_id == user.id, Clip.id.in_(some)).order_by(Clip.id.desc()))
    )
