"""Where the bytes of uploads grow, on this machine's disk: VAR_DIR/uploads/<id>. A writer holds the file's lock."""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import FileIO
from pathlib import Path

import structlog
from flask import current_app

from app import clock
from app.problems import Problem

log = structlog.get_logger(__name__)

MIB = 1 << 20
BLOCK = MIB
# For other uploads, the database and the logs meanwhile.
SPARE_DISK = 256 * MIB
CHECKSUMS = ("sha1", "sha256")
# Of its beginning and of its end: what a fingerprint is made of.
FINGERPRINT_BYTES = 64 << 10
# A pause between two pieces may last this long: the upload is still under way.
UNDER_WAY = timedelta(minutes=2)


@dataclass(frozen=True)
class Checksum:
    """What the bytes of one piece must hash to. `algorithm` is one of CHECKSUMS."""

    algorithm: str
    digest: bytes


def folder() -> Path:
    """VAR_DIR/uploads; the temporary folder where VAR_DIR cannot be written to, as in a read-only container."""
    where = Path(current_app.config["VAR_DIR"], "uploads")
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
    if not os.access(where, os.W_OK):
        where = Path(tempfile.gettempdir(), f"vezde-uploads-{os.getuid()}")
        where.mkdir(mode=0o700, exist_ok=True)
        if where.lstat().st_uid != os.getuid():  # others may write to /tmp too
            raise PermissionError(errno.EACCES, "not ours", str(where))
    return where


def path(upload_id: str) -> Path:
    """Where the bytes grow. Only called with the id of a row, which is ours."""
    return folder() / upload_id


def fingerprint(file: Path) -> str:
    """SHA-256 of the file's size, its first and its last bytes. file_checks.js computes the same of a chosen file."""
    with file.open("rb") as opened:
        size = opened.seek(0, os.SEEK_END)
        digest = hashlib.sha256(str(size).encode())
        for start in (0, max(size - FINGERPRINT_BYTES, 0)):
            opened.seek(start)
            digest.update(opened.read(FINGERPRINT_BYTES))
    return digest.hexdigest()


def received(upload_id: str) -> tuple[int, bool] | None:
    """How many bytes have come, and whether more were coming a moment ago. None where the file is not here."""
    try:
        state = path(upload_id).stat()
    except FileNotFoundError:
        return None
    return state.st_size, clock.now().timestamp() - state.st_mtime < UNDER_WAY.total_seconds()


def require_room(length: int) -> None:
    """Raises Problem unless the disk has `length` bytes and SPARE_DISK free."""
    if shutil.disk_usage(folder()).free < length + SPARE_DISK:
        log.error("no room for uploads", length=length)
        raise Problem("no_room")


@contextmanager
def locked(upload_id: str) -> Iterator[FileIO]:
    """The upload's file, locked meanwhile. Raises FileNotFoundError; Problem while another request has the lock."""
    with path(upload_id).open("r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("upload_busy") from None
        if os.fstat(file.fileno()).st_nlink == 0:
            raise FileNotFoundError  # deleted between opening and locking
        yield file


def append(file: FileIO, start: int, blocks: Iterable[bytes], promised: int, checksum: Checksum | None) -> int:
    """Writes the blocks behind `start`; returns how many bytes came. Never writes more than `promised`.

    Of a piece that is damaged or too long nothing is kept.
    """
    digest = hashlib.new(checksum.algorithm) if checksum else None
    received = 0
    for block in blocks:
        if received + len(block) > promised:
            file.truncate(start)
            raise Problem("upload_longer_than_promised")
        write(file, block)
        received += len(block)
        if digest:
            digest.update(block)
    if digest and (received < promised or digest.digest() != checksum.digest):
        file.truncate(start)
        raise Problem("upload_piece_damaged")
    return received


def write(file: FileIO, block: bytes) -> None:
    """All of it. Raises Problem where the disk is full."""
    rest = memoryview(block)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        log.error("no room for uploads", errno=error.errno)
        raise Problem("no_room_left") from None
