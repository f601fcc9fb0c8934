"""«Опубликовать, когда загрузится»: a wish that outlives the page. It is carried out once, when the clip is ready.

What is refused is told in a notification: its user may be away by then.
"""

from sqlalchemy import update

from app import texts
from app.db import db
from app.models import Clip, ClipStatus, Upload, User, record_event
from app.problems import NotFound, Problem
from app.services import clips, destinations, publications
from app.services.destinations import Destination
from app.services.publications import Choice, Item


def wish(user: User, upload_id: str, *, wished: bool) -> None:
    """Sets the wish or takes it back. Raises NotFound."""
    # Locked: an upload that becomes a clip meanwhile hands over this wish or the one before, and then has its clip.
    upload = db.session.get(Upload, upload_id, with_for_update=True)
    if upload is None or upload.user_id != user.id:
        raise NotFound
    was_wished, upload.publish_when_ready = upload.publish_when_ready, wished
    if upload.clip_id is None:
        return
    waiting = update(Clip).where(Clip.id == upload.clip_id, Clip.status == ClipStatus.PROCESSING)
    changed = db.session.execute(waiting.values(publish_when_ready=wished, version=Clip.version + 1))
    if not changed.rowcount and wished and not was_wished:
        clip = clips.get(user, upload.clip_id)
        settle(user.id, clip.id, clip.title, clip.reason)


def withdraw(user: User, clip_id: int) -> bool:
    """Takes the wish back while the clip is being checked; False where it is too late. Raises NotFound."""
    clip = clips.get(user, clip_id)
    waiting = update(Clip).where(Clip.id == clip.id, Clip.status == ClipStatus.PROCESSING, Clip.publish_when_ready)
    return bool(db.session.execute(waiting.values(publish_when_ready=False, version=Clip.version + 1)).rowcount)


def settle(user_id: int, clip_id: int, title: str, failure: str | None) -> None:
    """Carries the wish out, in the transaction in which the clip becomes ready or, for the reason `failure`, fails."""
    db.session.execute(update(Clip).where(Clip.id == clip_id).values(publish_when_ready=False))
    refusals = [texts.sentence(failure)] if failure else _publish(db.session.get(User, user_id), clip_id)
    if refusals:
        record_event(user_id, "clip.not_published", {"title": title, "why": " ".join(refusals)}, clip_id=clip_id)


def _publish(user: User, clip_id: int) -> list[str]:
    """Publishes wherever it can; returns what is refused, as sentences."""
    clip = clips.get(user, clip_id)
    chosen = _chosen_connections(user, clip)
    if not chosen:
        return [Problem("nowhere_to_publish").text]
    items = [Item(clip.id, Choice(one.connection.id, clip.title, clip.description)) for one in chosen]
    results = publications.publish_many(user, items)
    return [
        f"{one.label}: {result.text}"
        for one, result in zip(chosen, results, strict=True)
        if isinstance(result, Problem) and result.code != "already_live"
    ]


def _chosen_connections(user: User, clip: Clip) -> list[Destination]:
    """As in the publish window: all but those that the last choice left out. Where the clip does not fit is told."""
    return [one for one in destinations.for_clip(user, clip) if not one.connection.left_out]
