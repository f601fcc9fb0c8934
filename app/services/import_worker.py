"""How a worker fetches a clip from an address: claims the row, receives the file, makes the clip, once.

The file's size on the disk is how far it is. Each step may be done twice: an import whose worker was killed at any
point goes on with the next claim, and of two workers only the one with the newer fence writes to the row.
"""

import hashlib
import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from io import FileIO
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, Row, func, select, update

from app import clock
from app.db import db
from app.media import containers
from app.models import OPEN_IMPORTS, ClipImport, ImportState, User, lock_user
from app.models.claim import claim as claim_row
from app.models.types import is_due
from app.platforms.errors import RateLimited, Refused, Unavailable
from app.platforms.http import ssrf_guard
from app.platforms.http.download import Incoming, Restart, download
from app.problems import Problem
from app.services import clips, open_uploads, upload_files
from app.services.import_outcomes import PAUSES, Failed, Later, Lost, Outcome, Received
from app.services.upload_files import MIB
from app.storage import StorageUnavailable, key_from, storage

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=2)
# To compute a checksum and to move a large file into a bucket.
_STORE_LEASE = timedelta(minutes=20)
_NOTE_EVERY = timedelta(seconds=1)
_ROOM_PAUSE = timedelta(minutes=5)
_BUSY_PAUSE = timedelta(seconds=20)
_STORAGE_PAUSE = timedelta(seconds=30)

_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml|!--)", re.IGNORECASE)

# Says how far it is and keeps the lease: columns in, whether the row is still this worker's out.
Note = Callable[..., bool]


def due(limit: int = 100) -> list[int]:
    found = select(ClipImport.id).where(_is_due(clock.now())).order_by(ClipImport.wake_at).limit(limit)
    return list(db.session.scalars(found))


def next_turn() -> Row[tuple[int, int]] | None:
    """The next import's id and its user's. None where none is due, or each user with one has as many under way as
    allowed: one fewer than workers, so that one user's slow servers do not keep another's clip out.
    """
    now = clock.now()
    busy = (
        select(ClipImport.user_id)
        .where(_is_under_way(now))
        .group_by(ClipImport.user_id)
        .having(func.count() >= _most())
    )
    return db.session.execute(
        select(ClipImport.id, ClipImport.user_id)
        .where(_is_due(now), ClipImport.user_id.not_in(busy))
        .order_by(ClipImport.wake_at, ClipImport.id)
        .limit(1)
    ).one_or_none()


def claim_turn(import_id: int, user_id: int) -> ClipImport | None:
    """The import, claimed and detached; None where another worker was faster."""
    now = clock.now()
    lock_user(user_id)
    mine = select(func.count()).select_from(ClipImport).where(ClipImport.user_id == user_id, _is_under_way(now))
    if db.session.scalar(mine) >= _most():
        return None
    return claim_row(
        ClipImport,
        import_id,
        _is_due(now),
        lease=LEASE,
        state=ImportState.RUNNING,
        fence=ClipImport.fence + 1,
        tries=ClipImport.tries + 1,
    )


def _most() -> int:
    return max(current_app.config["IMPORT_WORKERS"] - 1, 1)


def _is_due(now: datetime) -> ColumnElement[bool]:
    return ClipImport.state.in_(OPEN_IMPORTS) & is_due(ClipImport.wake_at, now, timedelta(hours=2))


def _is_under_way(now: datetime) -> ColumnElement[bool]:
    return (ClipImport.state == ImportState.RUNNING) & (ClipImport.wake_at > now)


def note(one: ClipImport, lease: timedelta = LEASE, **values: Any) -> bool:
    """Writes columns and keeps the lease; False where the import is no longer this worker's."""
    kept = db.session.execute(
        update(ClipImport)
        .where(ClipImport.id == one.id, ClipImport.state == ImportState.RUNNING, ClipImport.fence == one.fence)
        .values(wake_at=clock.now() + lease, **values)
        .execution_options(synchronize_session=False)
    )
    return bool(kept.rowcount)


def admit(one: ClipImport, size: int) -> None:
    """Before a file of that size is received. Raises Problem where the user's plan has no room for it."""
    lock_user(one.user_id)
    if (user := db.session.get(User, one.user_id)) is not None:
        open_uploads.require_quota(user, open_uploads.of(user), size, import_id=one.id)


def receive(one: ClipImport, note: Note, admit: Callable[[int], None]) -> Outcome:
    """All bytes into the file, and the file into the storage. Slow; uses the database only by `note` and `admit`."""
    if one.tries > len(PAUSES) + 1:
        return Failed(one.reason or "import_interrupted", one.detail or "")
    path = upload_files.path(one.key)
    try:
        if not path.exists() and one.size is not None and storage().exists(key_from(one.key)):
            return Received(storage().size(key_from(one.key)))  # its worker ended between the two
        path.touch(mode=0o600)
        with upload_files.locked(one.key) as file:
            return _receive(one, file, note, admit)
    except _Stopped as stopped:
        return stopped.outcome
    except StorageUnavailable as error:
        log.warning("storage is away", clip_import=one.id, error=str(error))
        return Later(clock.now() + _STORAGE_PAUSE, "storage_away", counts=False)
    except FileNotFoundError:  # deleted by a cancellation meanwhile
        return Later(clock.now() + _BUSY_PAUSE, "import_interrupted")
    except Problem as problem:
        return _of_problem(problem)


class _Stopped(Exception):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(type(outcome).__name__)
        self.outcome = outcome


def _of_problem(problem: Problem) -> Outcome:
    if problem.code == "quota_full":
        return Failed("import_quota_full")
    if problem.code == "upload_busy":  # a stopped worker has the file still
        return Later(clock.now() + _BUSY_PAUSE, "import_interrupted", counts=False)
    return Later(clock.now() + _ROOM_PAUSE, "import_no_room", counts=False)


def _receive(one: ClipImport, file: FileIO, note: Note, admit: Callable[[int], None]) -> Outcome:
    offset = file.seek(0, os.SEEK_END)
    if offset < containers.SIGNATURE_BYTES:
        offset = file.truncate(0)  # so few are looked at again
    if offset == 0 or offset != one.size:
        try:
            origins = ssrf_guard.own_origins((), current_app.config)
            with download(one.url, origins, offset=offset, validator=one.validator) as incoming:
                _write(one, file, incoming, note, admit)
        except Restart:
            file.truncate(0)
            return Later(clock.now(), "import_changed")
        except RateLimited as error:
            return Later(error.until, "import_busy", error.detail)
        except Unavailable as error:
            return Later(_next_try(one, file), "import_unavailable", error.detail)
        except Refused as error:
            return Failed(error.reason, error.detail)
    return _store(one, file, note)


def _next_try(one: ClipImport, file: FileIO) -> datetime:
    is_further = file.seek(0, os.SEEK_END) > one.received
    tries = 1 if is_further else one.tries
    return clock.now() + timedelta(seconds=PAUSES[min(tries, len(PAUSES)) - 1])


def _write(one: ClipImport, file: FileIO, incoming: Incoming, note: Note, admit: Callable[[int], None]) -> None:
    """Behind what is there, or from the beginning where the server sends all. Raises Problem, _Stopped, Unavailable."""
    most = current_app.config["MAX_CLIP_MB"] * MIB
    if incoming.offset and one.size not in (None, incoming.total):
        raise Restart
    if (incoming.total or 0) > most:
        raise Refused("import_too_large")
    position = file.seek(incoming.offset)
    file.truncate()
    upload_files.require_room((incoming.total or most) - position)
    if incoming.total is not None:
        admit(incoming.total)
    known = {"size": incoming.total, "validator": incoming.validator}
    known["file_name"] = one.file_name or clips.shown_name(incoming.file_name)
    _keep(one, note, position, **known)
    noted = clock.now()
    head = _Head(position)
    try:
        for block in incoming.blocks():
            position += len(block)
            if position > most:
                raise Refused("import_too_large")
            head.check(block)
            upload_files.write(file, block)
            if clock.now() - noted >= _NOTE_EVERY:
                noted = clock.now()
                _keep(one, note, position)
    except Unavailable:
        _keep(one, note, position)
        raise
    head.end()
    if incoming.total is None:
        admit(position)
    one.size = position
    _keep(one, note, position, size=position)


def _keep(one: ClipImport, note: Note, position: int, **values: Any) -> None:
    """With progress, earlier tries no longer count."""
    if position > one.received:
        one.received, one.tries = position, 1
    if not note(received=one.received, tries=one.tries, **values):
        raise _Stopped(Lost())


class _Head:
    """The file's first bytes, looked at before the rest is read: mostly it is a web page that is no video."""

    def __init__(self, position: int) -> None:
        self._bytes, self._is_checked = b"", position >= containers.SIGNATURE_BYTES

    def check(self, block: bytes) -> None:
        if self._is_checked:
            return
        self._bytes += block[: containers.SIGNATURE_BYTES]  # at most twice as many
        if len(self._bytes) >= containers.SIGNATURE_BYTES:
            self.end()

    def end(self) -> None:
        if self._is_checked:
            return
        self._is_checked = True
        if not self._bytes:
            raise Refused("import_empty")
        if not containers.begins_as_video(self._bytes):
            is_page = _PAGE.match(self._bytes)
            raise Refused("import_web_page" if is_page else "import_not_video")


def _store(one: ClipImport, file: FileIO, note: Note) -> Outcome:
    if not note(lease=_STORE_LEASE):
        return Lost()
    if one.sha256:
        file.seek(0)
        if hashlib.file_digest(file, "sha256").hexdigest() != one.sha256:
            return Failed("import_checksum_mismatch")
    storage().put_file(upload_files.path(one.key), key_from(one.key))
    return Received(one.size or 0)
