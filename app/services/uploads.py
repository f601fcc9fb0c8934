"""Clips on their way in: created with a promised length, received in pieces, finished into a Clip.

The bytes grow in a file (`upload_files`), and its size is the offset: nothing else counts. Every step may be done
twice: an upload whose process died between its last byte and its Clip is finished by the next HEAD, PATCH or sweep.
"""

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from flask import current_app
from sqlalchemy import delete, func, select, update
from werkzeug.datastructures import FileStorage

from app import clock, queue
from app.db import db
from app.models import Clip, Upload, User
from app.models.types import CLOCK_MARGIN
from app.problems import NotFound, Problem
from app.services import clips, erasures, upload_files
from app.services.upload_files import MIB, Busy, Checksum, NoRoom, TooLarge
from app.storage import StorageUnavailable, key_from, storage

log = structlog.get_logger(__name__)

GIB = 1 << 30
LIFETIME = timedelta(hours=24)  # since the last byte came, but for _TOUCHED_LATELY
_TOUCHED_LATELY = timedelta(minutes=5)
MAX_OPEN = 20

OUT_OF_STEP = "Загрузка сбилась: продолжите её с того места, где она остановилась."


class QuotaFull(Problem):
    """More than the plan stores."""


class TooMany(Problem):
    """MAX_OPEN uploads are on their way already."""


class OffsetMismatch(Problem):
    """The piece does not begin where the upload stands."""


@dataclass(frozen=True)
class Progress:
    """How far an upload is, in bytes. `clip_id` is there once it has become a clip."""

    offset: int
    length: int
    expires_at: datetime
    clip_id: int | None = None


def max_bytes() -> int:
    """The largest clip that is taken."""
    return current_app.config["MAX_CLIP_MB"] * MIB


def create(user: User, file_name: str, length: int) -> Upload:
    """Promises `length` bytes; `file_name` is only ever shown. Answers the row, detached from the session.

    Raises TooLarge, QuotaFull, TooMany, NoRoom, or Problem for an empty file.
    """
    if length < 1:
        raise Problem("Файл пустой. Выберите другой.")
    if length > max_bytes():
        raise TooLarge(f"Файл больше {current_app.config['MAX_CLIP_MB']} МБ. Сожмите видео или сократите его.")
    sweep_files()
    upload_files.require_room(length)

    # Held until the commit, so that uploads begun at once count each other.
    db.session.execute(select(User.id).where(User.id == user.id).with_for_update())
    open_uploads, promised = db.session.execute(
        select(func.count(), func.coalesce(func.sum(Upload.length), 0)).where(
            Upload.user_id == user.id, Upload.clip_id.is_(None)
        )
    ).one()
    if open_uploads >= MAX_OPEN:
        raise TooMany(f"Загружается уже {open_uploads} файлов. Дождитесь их или отмените лишние.")
    if clips.used_bytes(user) + promised + length > user.plan.storage_gb * GIB:
        raise QuotaFull(
            f"На тарифе {user.plan.title} хранится до {user.plan.storage_gb} ГБ. "
            "Удалите ненужные клипы или перейдите на другой тариф."
        )
    upload = Upload(
        id=secrets.token_urlsafe(32),
        user_id=user.id,
        file_name=clips.shown_name(file_name),
        length=length,
        expires_at=clock.now() + LIFETIME,
    )
    db.session.add(upload)
    db.session.flush()
    upload_files.path(upload.id).touch(mode=0o600, exist_ok=False)
    return _released(upload)


def progress(user: User, upload_id: str) -> Progress:
    """How far the upload is. Raises NotFound, or Busy while its last byte is being put away."""
    upload = _find(user, upload_id)
    if upload.clip_id is not None:
        return Progress(upload.length, upload.length, upload.expires_at, upload.clip_id)
    try:
        offset = upload_files.path(upload.id).stat().st_size
        if offset < upload.length:
            return Progress(offset, upload.length, upload.expires_at)
        with upload_files.alone(upload.id):
            return _finish(upload)
    except FileNotFoundError:
        return _finish(upload)


def receive(
    user: User, upload_id: str, offset: int, blocks: Iterable[bytes], promised: int, checksum: Checksum | None = None
) -> Progress:
    """Appends one piece of `promised` bytes at `offset`; with the upload's last byte, makes the Clip.

    `blocks` may end early, when the connection does: what came is kept (with a checksum it is not, since it cannot be
    proved). Raises NotFound, Busy, OffsetMismatch, ChecksumMismatch, NoRoom; TooLarge when the piece does not fit into
    the upload, and then nothing of it is kept.
    """
    upload = _find(user, upload_id)
    try:
        with upload_files.alone(upload.id) as file:
            start = file.seek(0, os.SEEK_END)
            if offset != start:
                raise OffsetMismatch(OUT_OF_STEP)
            if promised > upload.length - start:
                raise TooLarge(upload_files.MORE_THAN_PROMISED)
            end = start + upload_files.append(file, start, blocks, promised, checksum)
            if end == upload.length:
                return _finish(upload)
            return Progress(end, upload.length, _touch(upload))
    except FileNotFoundError:
        done = progress(user, upload_id)  # complete already: its file has moved on
        if offset != done.offset or promised:
            raise OffsetMismatch(OUT_OF_STEP) from None
        return done


def receive_form(user: User, file: FileStorage) -> Clip:
    """The plain way, without a script: a file that came whole with a form. Raises what `create` raises."""
    length = file.stream.seek(0, os.SEEK_END)
    file.stream.seek(0)
    upload = create(user, file.filename or "", length)
    try:
        done = receive(user, upload.id, 0, iter(partial(file.stream.read, upload_files.BLOCK), b""), length)
    except NoRoom:
        terminate(user, upload.id)  # a form cannot go on later
        raise
    return clips.get(user, done.clip_id)


def terminate(user: User, upload_id: str) -> None:
    """Forgets an upload and its bytes; a clip that was made of it stays. Raises NotFound, Busy."""
    upload = _find(user, upload_id)
    try:
        with upload_files.alone(upload.id):
            _forget(upload)
    except FileNotFoundError:
        _forget(upload)


def terminate_all(user: User) -> None:
    """For the end of the account. Raises Busy while one of them is being sent."""
    for upload_id in db.session.scalars(select(Upload.id).where(Upload.user_id == user.id)).all():
        terminate(user, upload_id)


def sweep() -> int:
    """Removes what nobody touched for LIFETIME: half-uploads, and files without a row. Answers how many."""
    now = clock.now()
    longest = now + LIFETIME  # what is kept longer was written by a clock that was ahead
    db.session.execute(update(Upload).where(Upload.expires_at > longest + CLOCK_MARGIN).values(expires_at=longest))
    ids = db.session.scalars(select(Upload.id).where(Upload.expires_at < now).limit(1000)).all()
    db.session.commit()
    return sum(map(_swept, ids)) + sweep_files()


def sweep_files() -> int:
    """Removes old files of this machine that no row knows: where there are several, each has a disk of its own."""
    limit = (clock.now() - LIFETIME).timestamp()
    old = {path.name: path for path in upload_files.folder().iterdir() if path.stat().st_mtime < limit}
    if not old:
        return 0
    known = set(db.session.scalars(select(Upload.id).where(Upload.id.in_(old))))
    db.session.commit()
    for name in old.keys() - known:
        old[name].unlink(missing_ok=True)
    return len(old.keys() - known)


def _find(user: User, upload_id: str) -> Upload:
    upload = db.session.scalar(select(Upload).where(Upload.id == upload_id, Upload.user_id == user.id))
    if upload is None:
        raise NotFound
    return _released(upload)


def _released(upload: Upload) -> Upload:
    """The row as plain facts, and the transaction ended: a slow body must not hold the database's write lock."""
    db.session.expunge(upload)
    db.session.commit()
    return upload


def _touch(upload: Upload) -> datetime:
    """Not for each piece: a write has to reach the disk."""
    expires_at = clock.now() + LIFETIME
    if expires_at - upload.expires_at < _TOUCHED_LATELY:
        return upload.expires_at
    db.session.execute(update(Upload).where(Upload.id == upload.id).values(expires_at=expires_at))
    db.session.commit()
    return expires_at


def _finish(upload: Upload) -> Progress:
    """Moves the complete file into the storage and makes its Clip, once. Raises NotFound when the upload is gone."""
    key = key_from(upload.id)
    path = upload_files.path(upload.id)
    if path.exists():
        storage().put_file(path, key)
    elif not storage().exists(key):
        raise NotFound

    # Both are writes, so that they need no look beforehand: of two that finish, the second one's row counts nothing.
    clip = Clip(
        user_id=upload.user_id,
        title=clips.title_from(upload.file_name),
        file_name=upload.file_name,
        storage_key=key,
        size=upload.length,
        wake_at=clock.now(),
    )
    db.session.add(clip)
    db.session.flush()
    clip_id = clip.id
    claimed = db.session.execute(
        update(Upload).where(Upload.id == upload.id, Upload.clip_id.is_(None)).values(clip_id=clip_id)
    )
    if claimed.rowcount == 0:
        db.session.rollback()
        clip_id = db.session.scalar(select(Upload.clip_id).where(Upload.id == upload.id))
        db.session.commit()
        if clip_id is None:
            _erase(key)
            raise NotFound
    else:
        db.session.commit()
        if not queue.has_enough("app.jobs.probe"):
            queue.enqueue("app.jobs.probe", clip_id)
    return Progress(upload.length, upload.length, upload.expires_at, clip_id)


def _forget(upload: Upload) -> None:
    was = db.session.scalars(delete(Upload).where(Upload.id == upload.id).returning(Upload.clip_id)).all()
    # It may have been moved without becoming a clip: a process died between the two.
    keys = [key_from(upload.id)] if was == [None] else []
    erasures.plan(keys)
    db.session.commit()
    upload_files.path(upload.id).unlink(missing_ok=True)
    erasures.carry_out(keys)


def _erase(key: str) -> None:
    erasures.plan([key])
    db.session.commit()
    erasures.carry_out([key])


def _swept(upload_id: str) -> bool:
    """One that cannot be swept now (its storage is away) does not keep the others."""
    try:
        return _sweep_one(upload_id)
    except (StorageUnavailable, OSError, NotFound) as error:
        db.session.rollback()
        log.warning("an upload could not be swept yet", error=str(error))
        return False


def _sweep_one(upload_id: str) -> bool:
    upload = db.session.get(Upload, upload_id)
    if upload is None:
        return False  # terminated meanwhile
    _released(upload)
    try:
        with upload_files.alone(upload.id) as file:
            if upload.clip_id is None and file.seek(0, os.SEEK_END) == upload.length:
                _finish(upload)
                return False
            _forget(upload)
    except Busy:
        return False  # somebody is still sending
    except FileNotFoundError:
        if upload.clip_id is None and storage().exists(key_from(upload.id)):
            _finish(upload)
        else:
            _forget(upload)
    return True
