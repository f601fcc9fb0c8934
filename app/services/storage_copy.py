"""Copies clips' files from one storage to another: a back-up, a restore, a move from a folder to a bucket."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from app.db import db, end_reading
from app.models import Clip
from app.storage import Storage, StorageUnavailable, storage

BLOCK_BYTES = 1 << 20


@dataclass
class Copied:
    """Files copied, files that were there already, and keys of rows whose file is missing here."""

    new: int
    present: int
    missing: list[str]


def copy_to(target: Storage) -> Copied:
    """Every file of every clip; what is there in full already is not sent again. Raises StorageUnavailable."""
    target.check()
    source, copied = storage(), Copied(0, 0, [])
    for key in _keys():
        try:
            size = source.size(key)
        except FileNotFoundError:
            copied.missing.append(key)
            continue
        if _size(target, key) == size:
            copied.present += 1
            continue
        _copy(source, target, key)
        if _size(target, key) != size:
            raise StorageUnavailable(f"файл {key} скопирован не целиком")
        copied.new += 1
    return copied


def _keys() -> Iterator[str]:
    rows = db.session.execute(select(Clip.storage_key, Clip.poster_key).order_by(Clip.id)).all()
    end_reading()
    for row in rows:
        yield from filter(None, row)


def _size(store: Storage, key: str) -> int | None:
    try:
        return store.size(key)
    except FileNotFoundError:
        return None


def _copy(source: Storage, target: Storage, key: str) -> None:
    """Through the temporary folder: a storage accepts only whole files."""
    with tempfile.TemporaryDirectory(prefix="vezde-copy-") as folder:
        path = Path(folder, "file")
        with source.open(key) as original, path.open("wb") as copy:
            shutil.copyfileobj(original, copy, BLOCK_BYTES)
        target.put_file(path, key)
        target.keep(key)
