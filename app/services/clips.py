"""A user's clips: the list, their texts, and their deletion."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, bindparam, exists, func, select

from app import clock
from app.db import db
from app.media import containers
from app.models import (
    LIVE,
    LIVE_SQL,
    WITH_DELETED,
    Clip,
    ClipPicture,
    PictureKind,
    Publication,
    Rendition,
    Status,
    User,
    files_of,
    thumbnail_key,
)
from app.problems import NotFound, Problem
from app.services import erasures
from app.statistics import daily
from app.storage import key_from

MAX_TITLE = 200
MAX_DESCRIPTION = 5000
MAX_KNOWN = 200  # clips that one poll may name
_LAST_CLIPS = 500
JOINERS = "\u200c\u200d" + "".join(map(chr, range(0xE0020, 0xE0080)))

# From this long before a publication falls due its card is sent with every poll, and polls come often.
SOON = timedelta(seconds=60)

# One or several: «clip.mov.mp4».
_SUFFIXES = re.compile(rf"(({'|'.join(map(re.escape, containers.SUFFIXES))})[.\s]*)+$", re.IGNORECASE)


# Built once, and for tables: every open page polls every few seconds, and building the query took longer than it did.
_clip, _publication = Clip.__table__.c, Publication.__table__.c
_DUE_SOON = exists().where(
    _publication.clip_id == _clip.id,
    LIVE_SQL,  # the index of these alone: a clip may have been published a thousand times
    _publication.status == Status.SCHEDULED,
    _publication.wake_at.is_not(None),  # it may be paused
    _publication.due_at <= bindparam("soon"),
)
_CHANGED = select(_clip.id, _clip.version, _DUE_SOON).where(
    _clip.user_id == bindparam("user_id"), _clip.deleted_at.is_(None), _clip.id.in_(bindparam("known", expanding=True))
)


def get(user: User, clip_id: int) -> Clip:
    """Raises NotFound, for another user's clip too."""
    clip = db.session.scalar(select(Clip).where(Clip.id == clip_id, Clip.user_id == user.id))
    if clip is None:
        raise NotFound
    return clip


def source_names(user: User) -> list[str]:
    """The names that keys, signals and folders of the user's last clips have."""
    last = select(Clip.source_name).where(Clip.user_id == user.id).order_by(Clip.id.desc()).limit(_LAST_CLIPS)
    names = select(last.subquery().c.source_name).distinct()
    return sorted(name for name in db.session.scalars(names) if name)


def changed(user: User, known: Mapping[int, int]) -> tuple[list[Clip], list[int]]:
    """Of the clips that a page shows, those that have changed, and ids of those that are gone.

    `known` is the version that the page has, by clip id.
    """
    known = dict(list(known.items())[:MAX_KNOWN])
    values = {"user_id": user.id, "known": list(known), "soon": clock.now() + SOON}
    found = db.session.execute(_CHANGED, values).all()
    newer = [clip_id for clip_id, version, soon in found if soon or version != known[clip_id]]
    rows = db.session.scalars(select(Clip).where(Clip.id.in_(newer)).order_by(Clip.id.desc())).all() if newer else []
    return list(rows), sorted(known.keys() - {clip_id for clip_id, _, _ in found})


def rename(user: User, clip_id: int, title: str, description: str) -> Clip:
    """Raises NotFound, Problem with its field."""
    title, description = checked_texts(title, description)
    clip = get(user, clip_id)
    clip.title, clip.description = title, description
    clip.version = Clip.version + 1
    db.session.flush()
    return clip


def checked_texts(title: str, description: str) -> tuple[str, str]:
    """Title (1–200 characters, one line) and description (up to 5000) as they are stored. Raises Problem."""
    title, description = one_line(title), several_lines(description)
    if not title:
        raise Problem("clip_title_missing", "title")
    if len(title) > MAX_TITLE:
        raise Problem("clip_title_too_long", "title", max=MAX_TITLE)
    if len(description) > MAX_DESCRIPTION:
        raise Problem("clip_description_too_long", "description", max=MAX_DESCRIPTION)
    return title, description


def delete(user: User, clip_id: int) -> None:
    """Deletes the clip and its files for good. Precondition: its live publications have been cancelled, else Problem.

    Raises NotFound. Publications that have ended stay in the history, without their clip.
    """
    get(user, clip_id)
    remove(user.id, clip_id)


def remove(user_id: int, clip_id: int, plan: Callable[[Sequence[str]], None] = erasures.plan) -> None:
    """The same for a clip that its user has deleted already. `plan` has the files erased."""
    zone_name = daily.lock(user_id)  # before the clip's row, as a worker that stores counts
    mine = select(Clip).where(Clip.id == clip_id, Clip.user_id == user_id).with_for_update()
    clip = db.session.scalar(mine.execution_options(**WITH_DELETED))
    if clip is None:
        raise NotFound
    live = db.session.scalar(
        select(func.count())
        .select_from(Publication)
        .where(Publication.clip_id == clip_id, Publication.status.in_(LIVE))
    )
    if live:
        raise Problem("clip_has_live_publications", count=live)
    daily.keep_by_title(zone_name, clip)
    plan([*_files(clip.storage_key), *_made(Rendition.clip_id == clip_id, ClipPicture.clip_id == clip_id)])
    db.session.delete(clip)


def plan_erasure(user: User) -> None:
    """Of the files of all the user's clips, when the account is deleted: the rows go with the account's."""
    mine = select(Clip.storage_key).where(Clip.user_id == user.id).execution_options(**WITH_DELETED)
    keys = db.session.scalars(mine).all()
    made = _made(Rendition.user_id == user.id, ClipPicture.user_id == user.id)
    erasures.plan([*(key for clip_key in keys for key in _files(clip_key)), *made])


def _files(storage_key: str) -> list[str]:
    """Of a clip itself: the file, its poster and what is stored with that."""
    poster = key_of_poster(storage_key)
    return [storage_key, poster, thumbnail_key(poster)]


def _made(renditions: ColumnElement[bool], pictures: ColumnElement[bool]) -> list[str]:
    """Files made of clips."""
    keys = list(db.session.scalars(select(Rendition.storage_key).where(renditions)))
    columns = ClipPicture.kind, ClipPicture.storage_key, ClipPicture.source_key
    for kind, made, source in db.session.execute(select(*columns).where(pictures)):
        keys += [source, *(files_of(made) if made and kind == PictureKind.COVER else [made])]
    return list(filter(None, keys))


def key_of_poster(storage_key: str) -> str:
    """One clip, one poster: a second probe replaces it."""
    return key_from(f"poster of {storage_key}")


def used_bytes(user: User) -> int:
    """The size of all of the user's clips and of what is made of them, for the plan's quota."""
    mine = select(func.coalesce(func.sum(Clip.size), 0)).where(Clip.user_id == user.id)
    # By the clips, of which those that are deleted do not count any more.
    made = select(func.coalesce(func.sum(Rendition.size), 0)).join(Clip, Clip.id == Rendition.clip_id)
    return db.session.scalar(mine) + db.session.scalar(made.where(Clip.user_id == user.id))


def shown_name(file_name: str) -> str:
    """A file's name for pages: no folders, no invisible characters, at most 255 characters."""
    return _printable(re.split(r"[/\\]", unicodedata.normalize("NFC", file_name))[-1]).strip()[:255]


def title_from(file_name: str) -> str:
    """A clip's first title: the file's name without its suffixes."""
    parts = _SUFFIXES.sub("", file_name).replace("_", " ").split()
    return " ".join(parts)[:MAX_TITLE] or "Без названия"


def one_line(text: str) -> str:
    return " ".join(_printable(text, keep="\r\n\t").split())


def several_lines(text: str) -> str:
    return _printable(text.replace("\r\n", "\n"), keep="\n\t").strip()


def _printable(text: str, keep: str = "") -> str:
    """Without control and format characters and halves of surrogate pairs. Emoji keep their joiners."""
    return "".join(
        char for char in text if char in keep or char in JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
    )
