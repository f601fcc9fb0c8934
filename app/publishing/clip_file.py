"""A clip's file as adapters read it: whole and unchanged, or an error that names what is wrong with it."""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

from app.models import Publication, cover_key, thumbnail_key
from app.platforms.base import ClipFile
from app.platforms.errors import OwnOutage, Refused, Unavailable
from app.storage import StorageUnavailable, storage


def clip_file(publication: Publication) -> ClipFile:
    """The rendition where one goes out, with the clip's cover."""
    clip, poster_key = publication.file, publication.clip.poster_key
    is_chosen = publication.clip.cover is not None
    covers = [cover_key(poster_key), poster_key] if poster_key and is_chosen else [poster_key]

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
        poster=partial(_picture, *covers),
        thumbnail=partial(_picture, poster_key and thumbnail_key(poster_key)),
        has_chosen_cover=is_chosen,
        cover_ms=_cover_ms(publication),
    )


def _picture(*keys: str | None) -> bytes | None:
    """The first that is there; None where none is, or cannot be read now: no publication waits for its cover."""
    for key in filter(None, keys):
        try:
            with storage().open(key) as file:
                return file.read()
        except (StorageUnavailable, OSError):
            continue
    return None


def _cover_ms(publication: Publication) -> int | None:
    """Of the file that goes out, which may begin and end elsewhere."""
    at_ms, rendition = publication.clip.cover_ms, publication.file
    if at_ms is None or rendition is publication.clip:
        return at_ms
    at_ms -= rendition.recipe.get("start_ms") or 0
    return at_ms if 0 <= at_ms < rendition.duration_ms else None


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
