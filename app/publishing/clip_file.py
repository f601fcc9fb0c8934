"""A clip's file as adapters read it: whole and unchanged, or an error that names what is wrong with it."""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

from app.models import Clip, Rendition
from app.platforms.base import ClipFile
from app.platforms.errors import OwnOutage, Refused, Unavailable
from app.storage import StorageUnavailable, storage


def clip_file(clip: Clip | Rendition, poster_key: str | None = None) -> ClipFile:
    def open_whole() -> BinaryIO:
        with _storage_errors():
            file = storage().open(clip.storage_key)
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
        if size != clip.size:
            file.close()
            raise Refused("clip_changed", f"{size} байт вместо {clip.size}")
        return _Unchanged(file, clip.size, clip.sha256)

    return ClipFile(
        open=open_whole,
        size=clip.size,
        content_type=clip.content_type,
        extension=clip.extension,
        duration=clip.duration_ms / 1000,
        width=clip.width,
        height=clip.height,
        poster=partial(_poster, poster_key),
    )


def _poster(key: str | None) -> bytes | None:
    """None where there is none, or it cannot be read now: no publication waits for its poster."""
    if key is None:
        return None
    try:
        with storage().open(key) as file:
            return file.read()
    except (StorageUnavailable, OSError):
        return None


class _Unchanged(io.BufferedIOBase):
    """A file that is read once from the start; the last of its bytes come only where all of them are the clip's own.

    Its errors are none of `OSError`, which HTTP clients take for a broken connection.
    """

    def __init__(self, file: BinaryIO, size: int, sha256: str) -> None:
        self._file, self._left, self._sha256 = file, size, sha256
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, amount: int | None = -1) -> bytes:
        with _storage_errors():
            block = self._file.read(amount)
        self._hash.update(block)
        self._left -= len(block)
        if self._left > 0 and not block and amount:
            raise Refused("clip_changed", f"{self._left} байт в конце файла нет")
        if self._left <= 0 and self._hash.hexdigest() != self._sha256:
            raise Unavailable("контрольная сумма файла другая", definitely_not_applied=True, reason="clip_changed")
        return block

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise Refused("clip_gone") from error
    except (StorageUnavailable, OSError) as error:
        raise OwnOutage("storage_away", definitely_not_applied=False) from error
