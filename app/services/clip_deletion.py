"""Deletion of a clip with what depends on it: its live publications are cancelled."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.db import db
from app.models import LIVE, Clip, Publication, Status, User
from app.problems import NotFound, Problem
from app.services import clips, publications

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


def delete(user: User, clip_id: int) -> None:
    """Deletes the clip with its files and cancels its live publications. Raises NotFound; Problem while one of them is
    being handed over.
    """
    clip = clips.get(user, clip_id)
    publications.cancel_all_of(clip_id=clip.id)
    if effects(clip).finishing:
        raise Problem("clip_being_handed_over")
    clips.delete(user, clip_id)


def chosen(user: User, clip_ids: Sequence[int]) -> list[Clip]:
    """Of the clips that a form names those that are the user's, newest first."""
    some = list(dict.fromkeys(clip_ids))[:MAX_CHOSEN]
    return list(
        db.session.scalars(select(Clip).where(Clip.user_id == user.id, Clip.id.in_(some)).order_by(Clip.id.desc()))
    )


def delete_many(user: User, some: Sequence[Clip]) -> tuple[list[int], list[tuple[Clip, Problem]]]:
    """As many as can be deleted: their ids, and the others with what prevents it."""
    deleted, refusals = [], []
    for clip, clip_id in [(clip, clip.id) for clip in some]:
        try:
            with db.session.begin_nested():
                delete(user, clip_id)
        except NotFound:
            continue  # another tab was faster
        except Problem as refusal:
            refusals.append((clip, refusal))
        else:
            deleted.append(clip_id)
    return deleted, refusals
