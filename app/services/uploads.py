"""Resumable uploads: created with a promised length, received in pieces, finished into a Clip.

The bytes grow in a file (`upload_files`), and its size is the offset: nothing else counts. Every step may be done
twice: an upload whose process ended between its last byte and its Clip is finished by the next HEAD, PATCH or sweep.
"""

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from flask import current_app
from sqlalchemy import delete, select, update

from app import clock
from app.db import after_commit, db, end_reading
from app.models import Render, Source, Upload, User, lock_user
from app.models.types import CLOCK_MARGIN
from app.problems import NotFound, Problem
from app.services import clips, erasures, new_clips, open_uploads, throttle, upload_files
from app.services.throttle import Limit
from app.services.upload_files import MIB, Checksum
from app.storage import StorageUnavailable, key_from, storage

log = structlog.get_logger(__name__)

LIFETIME = timedelta(hours=24)  # since the last byte came, give or take _EXTENSION_STEP
_EXTENSION_STEP = timedelta(minutes=5)
MAX_OPEN = 20
_CREATED_PER_USER = Limit("uploads", times=600, seconds=3600)  # a bulk of clips, not a loop that begins and cancels
_SWEEP_BATCH = 1000


@dataclass(frozen=True)
class Progress:
    """How far an upload is, in bytes. `clip_id` is set once it has become a clip."""

    offset: int
    length: int
    expires_at: datetime
    clip_id: int | None = None


def max_bytes() -> int:
    """The size of the largest clip that is accepted."""
    return current_app.config["MAX_CLIP_MB"] * MIB


def create(
    user: User,
    file_name: str,
    length: int,
    fingerprint: str | None = None,
    *,
    publish_when_ready: bool = False,
    source: str = Source.UPLOAD,
    source_name: str | None = None,
) -> Upload:
    """Begins an upload of `length` bytes; `file_name` is only shown. Returns the row, detached from the session.

    With a `fingerprint` the file must still have it in the end. The caller commits before the first byte comes. Raises
    Problem.
    """
    if length < 1:
        raise Problem("upload_empty")
    if length > max_bytes():
        raise Problem("upload_too_large", max_mb=current_app.config["MAX_CLIP_MB"])
    throttle.hit((_CREATED_PER_USER, str(user.id)))
    sweep_files()
    upload_files.require_room(length)

    # Held until the commit, so that uploads begun at once count each other.
    lock_user(user.id)
    others = open_uploads.of(user)
    if len(others) >= MAX_OPEN:
        raise Problem("too_many_uploads", count=len(others))
    open_uploads.require_quota(user, others, length)
    upload = Upload(
        id=secrets.token_urlsafe(32),
        user_id=user.id,
        file_name=clips.shown_name(file_name),
        length=length,
        fingerprint=fingerprint,
        publish_when_ready=publish_when_ready,
        source=source,
        source_name=source_name,
        expires_at=clock.now() + LIFETIME,
    )
    db.session.add(upload)
    db.session.flush()
    upload_files.path(upload.id).touch(mode=0o600, exist_ok=False)
    db.session.expunge(upload)
    return upload


def require_same_file(user: User, upload_id: str, fingerprint: str) -> None:
    """Raises NotFound; Problem where the upload was begun with another file."""
    if _find(user, upload_id).fingerprint not in (None, fingerprint):
        raise Problem("upload_other_file")


def progress(user: User, upload_id: str) -> Progress:
    """How far the upload is. Raises NotFound, or Problem while it is being finished."""
    upload = _find(user, upload_id)
    if upload.clip_id is not None:
        return Progress(upload.length, upload.length, upload.expires_at, upload.clip_id)
    try:
        offset = upload_files.path(upload.id).stat().st_size
        if offset < upload.length:
            return Progress(offset, upload.length, upload.expires_at)
        with upload_files.locked(upload.id):
            return _finish(upload)
    except FileNotFoundError:
        return _finish(upload)


def receive(
    user: User, upload_id: str, offset: int, blocks: Iterable[bytes], promised: int, checksum: Checksum | None = None
) -> Progress:
    """Appends one piece of `promised` bytes at `offset`; with the upload's last byte, makes the Clip.

    `blocks` may end early, when the connection does: what came is kept, except where a checksum cannot be verified.
    They may come slowly: no transaction is held meanwhile, so the caller must have changed nothing. Raises NotFound,
    Problem; of a piece that does not fit into the upload nothing is kept.
    """
    upload = _find(user, upload_id)
    open_uploads.resume(user, upload)
    end_reading()
    try:
        with upload_files.locked(upload.id) as file:
            start = file.seek(0, os.SEEK_END)
            if offset != start:
                raise Problem("upload_offset_mismatch")
            if promised > upload.length - start:
                raise Problem("upload_longer_than_promised")
            end = start + upload_files.append(file, start, blocks, promised, checksum)
            if end == upload.length:
                return _finish(upload)
            return Progress(end, upload.length, _extend(upload))
    except FileNotFoundError:
        done = progress(user, upload_id)  # complete already: its file has moved on
        if offset != done.offset or promised:
            raise Problem("upload_offset_mismatch") from None
        return done


def terminate(user: User, upload_id: str) -> None:
    """Deletes an upload and its bytes; a clip that was made of it stays. Raises NotFound; Problem while bytes come."""
    upload = _find(user, upload_id)
    try:
        with upload_files.locked(upload.id):
            _forget(upload)
    except FileNotFoundError:
        _forget(upload)


def terminate_all(user: User) -> None:
    """When the account is deleted. Raises Problem while one of them is being received."""
    for upload_id in db.session.scalars(select(Upload.id).where(Upload.user_id == user.id)).all():
        terminate(user, upload_id)


def expired() -> list[str]:
    """Ids of uploads that got no byte for LIFETIME."""
    now = clock.now()
    longest = now + LIFETIME  # what is kept longer was written by a clock that was ahead
    db.session.execute(update(Upload).where(Upload.expires_at > longest + CLOCK_MARGIN).values(expires_at=longest))
    return list(db.session.scalars(select(Upload.id).where(Upload.expires_at < now).limit(_SWEEP_BATCH)))


def sweep(upload_id: str) -> None:
    """Finishes an expired upload whose bytes are complete, deletes any other, unless it is being received."""
    upload = db.session.get(Upload, upload_id)
    if upload is None:
        return
    db.session.expunge(upload)
    try:
        with suppress(Problem):  # another request is writing to it
            _sweep(upload)
    except (StorageUnavailable, OSError, NotFound) as error:
        log.warning("an upload could not be swept yet", error=str(error))


def sweep_files() -> None:
    """Removes old files of this machine that have no row: where there are several machines, each has its own disk."""
    limit = (clock.now() - LIFETIME).timestamp()
    old = {path.name: path for path in upload_files.folder().iterdir() if path.stat().st_mtime < limit}
    if old:
        with_row = set(db.session.scalars(select(Upload.id).where(Upload.id.in_(old))))
        for name in old.keys() - with_row:
            old[name].unlink(missing_ok=True)


def _find(user: User, upload_id: str) -> Upload:
    """The row, detached from the session."""
    upload = db.session.scalar(select(Upload).where(Upload.id == upload_id, Upload.user_id == user.id))
    if upload is None:
        raise NotFound
    db.session.expunge(upload)
    return upload


def _extend(upload: Upload) -> datetime:
    """Not for each piece: a write has to reach the disk."""
    expires_at = clock.now() + LIFETIME
    if expires_at - upload.expires_at < _EXTENSION_STEP:
        return upload.expires_at
    db.session.execute(update(Upload).where(Upload.id == upload.id).values(expires_at=expires_at))
    return expires_at


def _finish(upload: Upload) -> Progress:
    """Moves the complete file into the storage and makes its Clip, once.

    Raises NotFound when the upload is gone; Problem when its file was changed on its user's disk meanwhile.
    """
    end_reading()  # a bucket may be slow
    key = key_from(upload.id)
    path = upload_files.path(upload.id)
    fingerprint = upload.fingerprint
    if path.exists():
        fingerprint = upload_files.fingerprint(path)
        if upload.fingerprint not in (None, fingerprint):
            raise Problem("upload_changed")
        storage().put_file(path, key)
    elif not storage().exists(key):
        raise NotFound
    # Locked: of two that finish, the second one finds the first one's clip.
    row = db.session.get(Upload, upload.id, with_for_update=True)
    if row is None:
        storage().delete(key)
        raise NotFound
    if row.clip_id is None:
        row.clip_id = _make_clip(row, key, fingerprint)
    return Progress(upload.length, upload.length, upload.expires_at, row.clip_id)


def _make_clip(upload: Upload, key: str, fingerprint: str | None) -> int:
    clip = new_clips.make(
        upload.user_id,
        key,
        upload.length,
        upload.file_name,
        fingerprint=fingerprint,
        publish_when_ready=upload.publish_when_ready,
        source=upload.source,
        source_name=upload.source_name,
        render=new_clips.announced(Render.upload_id == upload.id),
    )
    return clip.id


def _forget(upload: Upload) -> None:
    deleted = db.session.scalars(delete(Upload).where(Upload.id == upload.id).returning(Upload.clip_id)).all()
    if deleted == [None]:
        # It may have been moved without becoming a clip: a process ended between the two.
        erasures.plan([key_from(upload.id)])
    after_commit(partial(upload_files.path(upload.id).unlink, missing_ok=True))


def _sweep(upload: Upload) -> None:
    is_open = upload.clip_id is None
    try:
        with upload_files.locked(upload.id) as file:
            is_whole = is_open and file.seek(0, os.SEEK_END) == upload.length
            try:
                (_finish if is_whole else _forget)(upload)
            except Problem:  # of two files
                _forget(upload)
    except FileNotFoundError:
        (_finish if is_open and storage().exists(key_from(upload.id)) else _forget)(upload)
