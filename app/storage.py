"""Where clips and posters lie. A folder now; the interface is one that a bucket can have too.

A key is random (or the hash of something random), never made of what a user typed, and sharded into sub folders.
Files are put whole or not at all, never changed afterwards, and read by everyone through their key.
"""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from flask import Flask, current_app

_KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{38}")


def new_key() -> str:
    return _sharded(secrets.token_hex(20))


def key_from(secret: str) -> str:
    """Always the same key for the same secret, so that a step which is done twice puts one file."""
    return _sharded(hashlib.sha256(secret.encode()).hexdigest()[:40])


def _sharded(name: str) -> str:
    return f"{name[:2]}/{name[2:]}"


class StorageUnavailable(Exception):
    """The storage cannot be used; the text says why, for the log and for /readyz."""


class Storage(Protocol):
    """What every storage does. Missing files raise FileNotFoundError; sizes and offsets are bytes."""

    def put_file(self, path: Path, key: str | None = None) -> str:
        """Moves the file at `path` in and answers its key. Whole and durable when it returns."""

    def put_bytes(self, data: bytes, key: str | None = None) -> str: ...

    def open(self, key: str, start: int = 0) -> BinaryIO: ...

    def size(self, key: str) -> int: ...

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """Deleting what is not there is fine."""

    def path(self, key: str) -> Path | None:
        """The file on this machine, for sendfile; None where the storage is elsewhere."""

    def on_disk(self, key: str):
        """A context manager: a path to read the file by, fetched first where the storage is elsewhere."""

    def check(self) -> None:
        """Raises StorageUnavailable unless files can be put now."""


class FolderStorage:
    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def put_file(self, path: Path, key: str | None = None) -> str:
        key, target = self._target(key)
        if path.stat().st_dev != self._folder.stat().st_dev:
            # A rename does not cross file systems: copy beside the target first, so that nobody sees half a file.
            arriving = target.with_name(target.name + ".part")
            shutil.copyfile(path, arriving)
            self._settle(arriving, target)
            path.unlink()
        else:
            self._settle(path, target)
        return key

    def put_bytes(self, data: bytes, key: str | None = None) -> str:
        key, target = self._target(key)
        arriving = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        arriving.write_bytes(data)
        self._settle(arriving, target)
        return key

    def open(self, key: str, start: int = 0) -> BinaryIO:
        file = self.path(key).open("rb")
        file.seek(start)
        return file

    def size(self, key: str) -> int:
        return self.path(key).stat().st_size

    def exists(self, key: str) -> bool:
        return self.path(key).is_file()

    def delete(self, key: str) -> None:
        self.path(key).unlink(missing_ok=True)

    def path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError("not a key of this storage")
        return self._folder / key

    @contextmanager
    def on_disk(self, key: str) -> Iterator[Path]:
        yield self.path(key)

    def check(self) -> None:
        probe = self._folder / f".check-{secrets.token_hex(8)}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"ok")
            probe.unlink()
        except OSError as error:
            with suppress(OSError):
                probe.unlink(missing_ok=True)
            raise StorageUnavailable(f"папка клипов {self._folder}: {error.strerror}") from error

    def _target(self, key: str | None) -> tuple[str, Path]:
        key = key or new_key()
        target = self.path(key)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return key, target

    def _settle(self, arriving: Path, target: Path) -> None:
        """Renames in one step, after the bytes are on the disk; then the folder, so that the name is too."""
        _sync(arriving)
        arriving.chmod(0o600)
        arriving.replace(target)
        _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect_storage(app: Flask) -> None:
    """Makes STORAGE_URL's storage the application's."""
    app.extensions["storage"] = FolderStorage(Path(app.config["STORAGE_URL"].removeprefix("file:")))


def storage() -> Storage:
    return current_app.extensions["storage"]
