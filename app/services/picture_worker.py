"""How a worker makes a picture of a clip: claims the row, has it made outside a transaction, settles it."""

import os
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.orm import aliased

from app import clock
from app.db import db
from app.media import pictures, probe
from app.models import (
    WITH_DELETED,
    Clip,
    ClipPicture,
    PictureKind,
    PictureState,
    cover_key,
    files_of,
    thumbnail_key,
)
from app.models.claim import claim as claim_row
from app.models.types import is_due
from app.services import erasures
from app.storage import StorageUnavailable, key_from, storage

log = structlog.get_logger(__name__)

# Longer than its child may take.
LEASE = timedelta(minutes=4)
MAX_TRIES = 3
_STORAGE_PAUSE = timedelta(seconds=30)
# How often a storage may be away before the choice is given up.
_MOST_WAITS = 60


@dataclass(frozen=True)
class Made:
    """The row's columns, and the files that were stored for it."""

    values: dict[str, Any]
    keys: list[str] = field(default_factory=list)


def due(limit: int = 100) -> list[int]:
    return list(db.session.scalars(select(ClipPicture.id).where(_is_due()).order_by(ClipPicture.wake_at).limit(limit)))


def next_turn() -> Row[tuple[int]] | None:
    """The next picture's id; None where none may be made now. The user whose turn was longest ago; one user's pictures
    leave a worker to others.
    """
    other = aliased(ClipPicture)
    last = select(func.max(other.claimed_at)).where(other.user_id == ClipPicture.user_id).scalar_subquery()
    busy = (
        select(other.user_id)
        .where(other.state == PictureState.WAITING, other.claimed_at.is_not(None), other.wake_at > clock.now())
        .group_by(other.user_id)
        .having(func.count() >= max(current_app.config["PROBE_WORKERS"] - 1, 1))
    )
    return db.session.execute(
        select(ClipPicture.id)
        .where(_is_due(), ClipPicture.user_id.not_in(busy))
        .order_by(last.asc().nulls_first(), ClipPicture.wanted_at, ClipPicture.id)
        .limit(1)
    ).one_or_none()


def claim(picture_id: int) -> ClipPicture | None:
    """The row, detached, for LEASE; None where another worker was faster."""
    taken = {"fence": ClipPicture.fence + 1, "tries": ClipPicture.tries + 1, "claimed_at": clock.now()}
    return claim_row(ClipPicture, picture_id, _is_due(), lease=LEASE, **taken)


def _is_due() -> ColumnElement[bool]:
    return (ClipPicture.state == PictureState.WAITING) & is_due(ClipPicture.wake_at, clock.now(), LEASE)


def clip_file(one: ClipPicture) -> str | None:
    """Its clip's storage key; None where the clip is gone. A deleted one may still be taken back."""
    of_clip = select(Clip.storage_key).where(Clip.id == one.clip_id)
    return db.session.scalar(of_clip.execution_options(**WITH_DELETED))


def make(one: ClipPicture, clip_key: str) -> Made:
    """Slow; uses no database."""
    if one.tries > (_MOST_WAITS if one.reason else MAX_TRIES):
        return _failed(one.reason or "cover_failed")
    try:
        return _strip(clip_key) if one.kind == PictureKind.STRIP else _cover(one, clip_key)
    except FileNotFoundError:
        return _failed("file_missing")
    except StorageUnavailable as error:
        log.warning("storage is away", picture=one.id, error=str(error))
        return Made({"wake_at": clock.now() + _STORAGE_PAUSE, "reason": "storage_away"})
    except probe.Unusable as error:
        log.info("a picture cannot be made", picture=one.id, reason=error.reason)
        return _failed(_told(one, error.reason))
    except probe.ProbeCrashed as error:
        log.error("a picture crashed", picture=one.id, attempt=one.tries, error=str(error))
        return Made({"wake_at": clock.now(), "reason": None})


def _told(one: ClipPicture, reason: str) -> str:
    """The reasons of clips speak of videos."""
    if reason in pictures.REASONS:
        return reason
    if one.source_key:
        return "cover_too_heavy" if reason in ("too_complex", "probe_timeout") else "cover_unreadable"
    return "cover_failed"


def _failed(reason: str) -> Made:
    return Made({"state": PictureState.FAILED, "reason": reason, "wake_at": None, "source_key": None})


def _strip(clip_key: str) -> Made:
    with storage().on_disk(clip_key) as path:
        made = pictures.strip(path)
    key = storage().put_bytes(made.jpeg, _new_key())
    return Made({**_READY, "storage_key": key, "frames": made.at}, [key])


def _cover(one: ClipPicture, clip_key: str) -> Made:
    if one.source_key:
        with storage().open(one.source_key) as file, tempfile.TemporaryDirectory(prefix="vezde-cover-") as folder:
            picture = Path(folder, "picture")
            picture.write_bytes(file.read())
            looks = pictures.of_picture(picture)
    else:
        with storage().on_disk(clip_key) as path:
            looks = pictures.at_moment(path, one.at_ms)
    key = _new_key()
    for data, name in ((looks.poster, key), (looks.thumbnail, thumbnail_key(key)), (looks.cover, cover_key(key))):
        storage().put_bytes(data, name)
    return Made({**_READY, "storage_key": key, "source_key": None}, files_of(key))


_READY = {"state": PictureState.READY, "reason": None, "wake_at": None}


def _new_key() -> str:
    return key_from(os.urandom(32).hex())


def settle(one: ClipPicture, made: Made) -> None:
    """Writes what was made, unless another choice has been made meanwhile or the clip is gone."""
    clip = Clip.__table__
    # First the clip, as whatever deletes it does.
    db.session.execute(select(clip.c.id).where(clip.c.id == one.clip_id).with_for_update())
    mine = update(ClipPicture).where(ClipPicture.id == one.id, ClipPicture.fence == one.fence)
    written = db.session.execute(mine.values(**made.values).execution_options(synchronize_session=False)).rowcount
    if not written:
        if made.keys:
            erasures.hand_over(made.keys)
        return
    if "state" not in made.values:
        return
    old = [one.source_key]
    changes: dict[str, Any] = {}
    if one.kind == PictureKind.COVER:
        changes = {"cover_wanted_at": None, "version": clip.c.version + 1}
        if made.keys:
            old += files_of(one.storage_key) if one.storage_key else []
            changes |= {"poster_key": made.values["storage_key"], "cover_ms": one.at_ms}
            changes |= {"cover": "picture" if one.source_key else "moment"}
    if changes:
        db.session.execute(update(clip).where(clip.c.id == one.clip_id).values(**changes))
    if keys := list(filter(None, old)):
        erasures.hand_over(keys)
