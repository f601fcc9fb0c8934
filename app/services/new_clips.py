"""A file in the storage becomes a clip, which waits for its probe: the same for each way in which files come."""

from functools import partial

from sqlalchemy import ColumnElement, select

from app import clock, queue
from app.db import after_commit, db
from app.models import Clip, Render, Source
from app.services import clips


def announced(condition: ColumnElement[bool]) -> Render | None:
    """The announcement whose file has come now, locked; None where another file was faster."""
    waiting = select(Render).where(condition, Render.clip_id.is_(None))
    return db.session.scalar(waiting.with_for_update())


def make(
    user_id: int,
    storage_key: str,
    size: int,
    file_name: str,
    *,
    fingerprint: str | None = None,
    publish_when_ready: bool = False,
    source: str = Source.UPLOAD,
    source_name: str | None = None,
    render: Render | None = None,
) -> Clip:
    """`size`: bytes. `file_name` is only shown, never used as a path. `render`: the announcement that it fulfils."""
    clip = Clip(
        user_id=user_id,
        title=(render and render.title) or clips.title_from(file_name),
        description=render.description if render else "",
        file_name=file_name,
        storage_key=storage_key,
        size=size,
        fingerprint=fingerprint,
        publish_when_ready=publish_when_ready,
        source=source,
        source_name=source_name,
        wake_at=clock.now(),
    )
    db.session.add(clip)
    db.session.flush()
    if render:
        render.clip_id = clip.id
    after_commit(partial(_enqueue_probe, clip.id))
    return clip


def _enqueue_probe(clip_id: int) -> None:
    if not queue.has_enough("app.jobs.probe"):
        queue.enqueue("app.jobs.probe", clip_id)
