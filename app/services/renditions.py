"""What a user can do with renditions: see what is offered, choose one, and play it before it goes out."""

from collections.abc import Sequence

from sqlalchemy import select

from app import clock, platforms
from app.db import db
from app.media.recipes import plan
from app.media.recipes.recipe import Recipe
from app.models import Clip, ClipStatus, PlatformConnection, Rendition, User, lock_user
from app.problems import NotFound, Problem
from app.publishing import recipes, renditions
from app.services import clips, open_uploads


def get(user: User, rendition_id: int) -> Rendition:
    """Raises NotFound, for another user's too, and for one whose clip is deleted."""
    mine = select(Rendition).join(Clip, Clip.id == Rendition.clip_id)
    found = db.session.scalar(mine.where(Rendition.id == rendition_id, Clip.user_id == user.id))
    if found is None:
        raise NotFound
    return found


def offers(user: User, clip_id: int, connection_id: int) -> Sequence["plan.Offer"]:
    """How the clip can be changed for that account; none where it fits. Raises NotFound."""
    return recipes.offers(clips.get(user, clip_id), platforms.ADAPTERS[_account(user, connection_id).platform])


def chosen(user: User, clip_id: int, connection_id: int, choice: str) -> tuple[Clip, Recipe]:
    """What the choice means, by the key of an offer or as JSON. Raises NotFound, Problem."""
    clip, connection = clips.get(user, clip_id), _account(user, connection_id)
    if clip.status != ClipStatus.READY:
        raise Problem("clip_not_ready")
    return clip, recipes.from_row(recipes.chosen(clip, platforms.ADAPTERS[connection.platform], choice))


def find(clip: Clip, recipe: Recipe) -> Rendition | None:
    return renditions.find(clip.id, recipe)


def choose(user: User, clip_id: int, connection_id: int, choice: str) -> Rendition:
    """Has it made now, to be played before it goes out; what has failed is tried again. Raises NotFound, Problem."""
    clip, recipe = chosen(user, clip_id, connection_id, choice)
    lock_user(user.id)
    if renditions.find(clip.id, recipe) is None:
        expected = recipes.Outcome(clip, recipe).size
        open_uploads.require_quota(user, open_uploads.of(user), expected)
    wanted = renditions.Want(clip, recipe, clock.now())
    return renditions.want([wanted], failed_before=clock.now())[wanted.key]


def _account(user: User, connection_id: int) -> PlatformConnection:
    mine = select(PlatformConnection).filter_by(id=connection_id, user_id=user.id)
    connection = db.session.scalar(mine)
    if connection is None:
        raise NotFound
    return connection
