"""A clip's cover, as its user chooses it: a moment of the clip, a picture of their own, or again what we chose."""

import os
from functools import partial

from sqlalchemy import select

from app import clock, queue
from app.db import after_commit, db, end_reading
from app.media import pictures
from app.models import (
    Clip,
    ClipPicture,
    ClipStatus,
    PictureKind,
    PictureState,
    User,
    files_of,
    lock_user,
)
from app.problems import NotFound, Problem
from app.services import clips, erasures
from app.storage import key_from, storage

_JOB = "app.jobs.pictures.make"
# Any wake-up serves any row.
_ANY = 0
_MEGABYTE = 1_000_000


def find(clip: Clip, kind: PictureKind) -> ClipPicture | None:
    return db.session.scalar(select(ClipPicture).filter_by(clip_id=clip.id, kind=kind))


def strip(user: User, clip_id: int) -> ClipPicture:
    """The strip of the clip's frames. Raises NotFound where there is none: nothing has asked for it."""
    found = find(clips.get(user, clip_id), PictureKind.STRIP)
    if found is None:
        raise NotFound
    return found


def want_strip(user: User, clip_id: int) -> ClipPicture:
    """Has it made, once; what failed is tried again. Raises NotFound, Problem."""
    clip = _ready(user, clip_id)
    lock_user(user.id)
    return _want(clip, find(clip, PictureKind.STRIP), PictureKind.STRIP, anew=False)


def choose_moment(user: User, clip_id: int, at_ms: int) -> Clip:
    """Raises NotFound, Problem with its field."""
    clip = _ready(user, clip_id)
    if not 0 <= at_ms <= clip.duration_ms:
        raise Problem("cover_moment_outside", "time", seconds=clip.duration_ms // 1000)
    return _choose(user, clip, at_ms=at_ms)


def choose_picture(user: User, clip_id: int, data: bytes) -> Clip:
    """By a JPEG or PNG: a worker decodes it. Raises NotFound, Problem with its field."""
    _ready(user, clip_id)
    if not data:
        raise Problem("cover_picture_missing", "picture")
    if len(data) > pictures.MAX_PICTURE_BYTES:
        raise Problem("cover_too_large", "picture", megabytes=pictures.MAX_PICTURE_BYTES // _MEGABYTE)
    if not pictures.is_picture(data):
        raise Problem("cover_not_picture", "picture")
    end_reading()
    key = storage().put_bytes(data, key_from(os.urandom(32).hex()))
    try:
        return _choose(user, _ready(user, clip_id), source_key=key)
    except (NotFound, Problem):
        storage().delete(key)
        raise


def reset(user: User, clip_id: int) -> Clip:
    """Back to the frame that we chose. Raises NotFound, Problem."""
    clip = _ready(user, clip_id)
    lock_user(user.id)
    row = find(clip, PictureKind.COVER)
    if row is not None:
        made = files_of(row.storage_key) if row.storage_key else []
        erasures.plan([*made, *filter(None, [row.source_key])])
        db.session.delete(row)
    clip.poster_key = clips.key_of_poster(clip.storage_key)
    clip.cover = clip.cover_ms = clip.cover_wanted_at = None
    clip.version = Clip.version + 1
    db.session.flush()
    return clip


def _ready(user: User, clip_id: int) -> Clip:
    clip = clips.get(user, clip_id)
    if clip.status != ClipStatus.READY:
        raise Problem("clip_not_ready")
    return clip


def _choose(user: User, clip: Clip, at_ms: int | None = None, source_key: str | None = None) -> Clip:
    lock_user(user.id)
    row = find(clip, PictureKind.COVER)
    if row is not None and row.source_key:
        erasures.plan([row.source_key])
    row = _want(clip, row, PictureKind.COVER, anew=True)
    row.at_ms, row.source_key = at_ms, source_key
    clip.cover_wanted_at = clock.now()
    clip.version = Clip.version + 1
    db.session.flush()
    return clip


def _want(clip: Clip, row: ClipPicture | None, kind: PictureKind, *, anew: bool) -> ClipPicture:
    if row is None:
        row = ClipPicture(clip_id=clip.id, user_id=clip.user_id, kind=kind)
        db.session.add(row)
    elif anew or row.state == PictureState.FAILED:
        row.state, row.reason, row.tries = PictureState.WAITING, None, 0
        row.wake_at = row.wanted_at = clock.now()
        row.fence += 1  # a worker that is at an earlier choice settles nothing
    db.session.flush()
    if row.state == PictureState.WAITING:
        after_commit(partial(queue.enqueue, _JOB, _ANY))
    return row
