"""The interface of every storage: its keys, its errors, its methods.

A key is the hash of something random, never made of what a user typed, and sharded into sub folders.
Files are put whole or not at all, never changed afterwards, and read by their key.
"""

import hashlib
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

_KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{38}")


def key_from(secret: str) -> str:
    """Always the same key for the same secret, so that a step that is done twice puts one file."""
    name = hashlib.sha256(secret.encode()).hexdigest()[:40]
    return f"{name[:2]}/{name[2:]}"


def checked(key: str) -> str:
    """The key itself; ValueError for anything else, `../../etc/passwd` for one."""
    if not _KEY.fullmatch(key):
        raise ValueError("not a key of this storage")
    return key


class StorageUnavailable(Exception):
    """The storage cannot be used; the text is the reason, for the log and for `flask doctor`."""


class Storage(Protocol):
    """Sizes and offsets are bytes.

    A missing file raises FileNotFoundError, a storage that is down raises StorageUnavailable.
    """

    def put_file(self, path: Path, key: str) -> str:
        """Moves the file at `path` in and returns `key`. Whole when it returns, durable after `keep()`."""

    def put_bytes(self, data: bytes, key: str) -> str:
        """Whole and durable when it returns."""

    def keep(self, key: str) -> None:
        """Returns when the file survives a power cut. May take as long as the disk needs to write it."""

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """Reads from `start` on, in constant memory; the file is seekable."""

    def size(self, key: str) -> int: ...

    def exists(self, key: str) -> bool: ...

    def delete(self, key: str) -> None:
        """No error where the file does not exist."""

    def path(self, key: str) -> Path | None:
        """The file on this machine, for sendfile; None where the storage is elsewhere."""

    def on_disk(self, key: str) -> AbstractContextManager[Path]:
        """A path to read the file by, fetched first where the storage is elsewhere."""

    def check(self) -> None:
        """Raises StorageUnavailable unless files can be put now. Returns within seconds."""
