"""`flask storage`: the clips' files as a whole: a back-up, a restore, a move from a folder to a bucket."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from flask import current_app
from sqlalchemy import select

from app import config
from app.cli.group import Group
from app.db import db, end_reading
from app.models import WITH_DELETED, Clip, ClipPicture, PictureKind, Rendition, cover_key, thumbnail_key
from app.services import clips
from app.storage import Storage, StorageUnavailable, storage, storage_at

BLOCK_BYTES = 1 << 20

group = Group("storage", help="Файлы клипов: копия в другое хранилище.")


@group.command()
@click.argument("url", metavar="URL")
def copy(url: str) -> None:
    """Скопировать все файлы клипов в другое хранилище: file:/папка или s3://бакет?endpoint=…

    Можно повторять: что уже скопировано, не пересылается. Ключи бакета — те же AWS_ACCESS_KEY_ID и
    AWS_SECRET_ACCESS_KEY.
    """
    try:
        target = storage_at(config.storage_address(url), current_app.config)
        copied = copy_to(target)
    except (ValueError, StorageUnavailable) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Скопировано файлов: {copied.new}, уже были: {copied.present}.")
    if copied.missing:
        raise click.ClickException(f"В хранилище нет файлов ({len(copied.missing)}): {', '.join(copied.missing[:10])}")


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
    keys = dict.fromkeys(_keys(), True)
    for key, is_required in (dict.fromkeys(_optional_keys(), False) | keys).items():
        try:
            size = source.size(key)
        except FileNotFoundError:
            copied.missing += [key] if is_required else []
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
    every = select(Clip.storage_key, Clip.poster_key).order_by(Clip.id).execution_options(**WITH_DELETED)
    rows = db.session.execute(every).all()
    made = db.session.scalars(select(Rendition.storage_key).where(Rendition.sha256.is_not(None))).all()
    columns = select(ClipPicture.storage_key, ClipPicture.source_key)
    pictures = db.session.execute(columns).all()
    end_reading()
    for row in (*rows, *pictures):
        yield from filter(None, row)
    yield from made


def _optional_keys() -> Iterator[str]:
    """Of what is stored with posters, not with each; and the posters that a chosen one stands for."""
    every = select(Clip.storage_key, Clip.poster_key).execution_options(**WITH_DELETED)
    posters = db.session.execute(every.where(Clip.poster_key.is_not(None))).all()
    chosen = db.session.scalars(select(ClipPicture.storage_key).filter_by(kind=PictureKind.COVER)).all()
    end_reading()
    for storage_key, poster_key in posters:
        own = clips.key_of_poster(storage_key)
        yield from (thumbnail_key(poster_key), *([own, thumbnail_key(own)] if own != poster_key else []))
    yield from (cover_key(key) for key in chosen if key)


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
