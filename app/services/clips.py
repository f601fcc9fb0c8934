"""A user's clips: the list, the words on them, their end, and the probe that makes them ready."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, func, not_, or_, select, update

from app import clock
from app.db import db, reading
from app.media import containers
from app.media import probe as probing
from app.models import LIVE, LIVE_SQL, Clip, ClipStatus, Publication, Status, User, record_event
from app.models.types import is_due
from app.paging import Page, indexed_eq, paginate
from app.problems import NotFound, Problem
from app.services import erasures
from app.storage import StorageUnavailable, key_from, storage

log = structlog.get_logger(__name__)

PER_PAGE = 24
MAX_TITLE = 200
MAX_DESCRIPTION = 5000
MAX_KNOWN = 200  # clips that one page may ask after
JOINERS = "\u200c\u200d" + "".join(map(chr, range(0xE0020, 0xE0080)))

# From this long before a publication falls due its card is drawn anew, so that a page looks often and sees it begin.
SOON = timedelta(seconds=60)

# A probe that takes longer is taken for dead, and the clip is due again.
PROBE_LEASE = timedelta(minutes=5)
MAX_PROBES = 3
STORAGE_PAUSE = timedelta(seconds=30)
# One or several: «clip.mov.mp4».
_SUFFIXES = re.compile(rf"(({'|'.join(map(re.escape, containers.SUFFIXES))})[.\s]*)+$", re.IGNORECASE)


@dataclass(frozen=True)
class Changes:
    """What a page must redraw: clips as they are now, and ids of clips that are gone."""

    clips: list[Clip]
    gone: list[int]


def page(user: User, number: int = 1, per_page: int = PER_PAGE) -> Page[Clip]:
    """A page of the user's clips, newest first."""
    newest_first = select(Clip).where(indexed_eq(Clip.user_id, user.id)).order_by(Clip.user_id.desc(), Clip.id.desc())
    return paginate(newest_first, number, per_page)


def page_of(clip: Clip, per_page: int = PER_PAGE) -> int:
    """The number of the page that shows the clip."""
    newer = db.session.scalar(
        select(func.count()).select_from(Clip).where(Clip.user_id == clip.user_id, Clip.id > clip.id)
    )
    return newer // per_page + 1


def get(user: User, clip_id: int) -> Clip:
    """Raises NotFound, for somebody else's clip too."""
    clip = db.session.scalar(select(Clip).where(Clip.id == clip_id, Clip.user_id == user.id))
    if clip is None:
        raise NotFound
    return clip


def changed(user: User, known: Mapping[int, int]) -> Changes:
    """What became of the clips that a page shows. `known` is the version that the page has, by clip id."""
    known = dict(list(known.items())[:MAX_KNOWN])
    asked = {"user_id": user.id, "known": list(known), "soon": clock.now() + SOON}
    found = db.session.execute(_CHANGED, asked).all()
    newer = [clip_id for clip_id, version, soon in found if soon or version != known[clip_id]]
    rows = db.session.scalars(select(Clip).where(Clip.id.in_(newer)).order_by(Clip.id.desc())).all() if newer else []
    return Changes(list(rows), sorted(known.keys() - {clip_id for clip_id, _, _ in found}))


def _changed() -> Select:
    clip, publication = Clip.__table__.c, Publication.__table__.c
    soon = exists().where(
        publication.clip_id == clip.id,
        LIVE_SQL,  # the index of these alone: a clip may have been published a thousand times
        publication.status == Status.SCHEDULED,
        publication.due_at <= bindparam("soon"),
    )
    return select(clip.id, clip.version, soon).where(
        clip.user_id == bindparam("user_id"), clip.id.in_(bindparam("known", expanding=True))
    )


# Built once, and for tables: every open page asks this every few seconds, and building it took longer than its answer.
_CHANGED = _changed()


def rename(user: User, clip_id: int, title: str, description: str) -> Clip:
    """Sets title (1–200 characters, one line) and description (up to 5000). Raises NotFound, Problem with its field."""
    title, description = one_line(title), several_lines(description)
    if not title:
        raise Problem("Напишите название.", "title")
    if len(title) > MAX_TITLE:
        raise Problem(f"Название длиннее {MAX_TITLE} знаков. Сократите его.", "title")
    if len(description) > MAX_DESCRIPTION:
        raise Problem(f"Описание длиннее {MAX_DESCRIPTION} знаков. Сократите его.", "description")
    clip = get(user, clip_id)
    clip.title, clip.description = title, description
    clip.version = Clip.version + 1
    db.session.commit()
    return clip


def delete(user: User, clip_id: int) -> None:
    """Deletes the clip and its files. Precondition: its live publications have been cancelled, else Problem.

    Raises NotFound. Publications that have ended stay in the history, without their clip.
    """
    clip = db.session.scalar(select(Clip).where(Clip.id == clip_id, Clip.user_id == user.id).with_for_update())
    if clip is None:
        raise NotFound
    live = db.session.scalar(
        select(func.count())
        .select_from(Publication)
        .where(Publication.clip_id == clip_id, Publication.status.in_(LIVE))
    )
    if live:
        db.session.rollback()
        raise Problem(f"У клипа есть незавершённые публикации ({live}). Сначала отмените их.")
    keys = (clip.storage_key, _poster_key(clip.storage_key))
    erasures.plan(keys)
    db.session.delete(clip)
    db.session.commit()
    erasures.carry_out(keys)


def plan_erasure(user: User) -> list[str]:
    """Of the files of all the user's clips, for the end of the account: their rows go with the account's."""
    clip_keys = db.session.scalars(select(Clip.storage_key).where(Clip.user_id == user.id)).all()
    keys = [key for clip_key in clip_keys for key in (clip_key, _poster_key(clip_key))]
    erasures.plan(keys)
    return keys


def used_bytes(user: User) -> int:
    """What the user's clips weigh, for the plan's quota."""
    return db.session.scalar(select(func.coalesce(func.sum(Clip.size), 0)).where(Clip.user_id == user.id))


def due_probes(limit: int = 100) -> list[int]:
    """Ids of clips to be probed now, oldest first: new ones whose job got lost, and those whose worker died."""
    due = select(Clip.id).where(_is_due(clock.now())).order_by(Clip.wake_at).limit(limit)
    return list(db.session.scalars(due))


def probe_next() -> bool:
    """Probes the clip whose turn it is: the next one of the user who has waited longest since the last one was taken.

    False where none is due, or each user with a due clip has as many under way as one may: one worker fewer than there
    are.
    """
    now, most = clock.now(), max(current_app.config["PROBE_WORKERS"] - 1, 1)
    busy = (
        select(Clip.user_id)
        .where(Clip.wake_at > now, not_(_is_due(now)))
        .group_by(Clip.user_id)
        .having(func.count() >= most)
    )
    in_turn = (
        select(Clip.id, User.id.label("user_id"), User.probed_at)
        .join(User)
        .where(_is_due(now), Clip.user_id.not_in(busy))
        .order_by(User.probed_at.asc().nulls_first(), Clip.wake_at, Clip.id)
        .limit(1)
    )
    with reading():
        clip = db.session.execute(in_turn).one_or_none()
    if clip is None:
        return False
    # In one transaction with the claim: two workers that looked at once do not take two clips of one user.
    taken = db.session.execute(
        update(User)
        .where(User.id == clip.user_id, User.probed_at.is_not_distinct_from(clip.probed_at))
        .values(probed_at=clock.now())
    )
    if taken.rowcount:
        probe(clip.id)
    else:
        db.session.rollback()
    return True


def _is_due(now: datetime) -> ColumnElement[bool]:
    """A clip that no worker has taken up yet is due since it came in."""
    return or_(is_due(Clip.wake_at, now, PROBE_LEASE), and_(Clip.probes == 0, Clip.wake_at > now + STORAGE_PAUSE))


def probe(clip_id: int) -> None:
    """Finds out what the clip is and makes it ready, or failed with the reason. Safe to be called twice."""
    claim = _claim(clip_id)
    if claim is None:
        return
    storage_key, number = claim
    if number > MAX_PROBES:
        _settle(clip_id, number, status=ClipStatus.FAILED, reason="probe_failed")
        return
    try:
        with storage().on_disk(storage_key) as path:
            facts = probing.probe(path)
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        storage().keep(storage_key)  # here, not where it comes in: whoever uploads need not wait for the disk
        poster_key = storage().put_bytes(facts.poster, _poster_key(storage_key))
    except FileNotFoundError:
        _settle(clip_id, number, status=ClipStatus.FAILED, reason="file_missing")
        return
    except StorageUnavailable as error:
        # No fault of the clip's: the look does not count.
        log.warning("storage is away", clip=clip_id, error=str(error))
        _set(clip_id, number, wake_at=clock.now() + STORAGE_PAUSE, probes=Clip.probes - 1)
        return
    except probing.Unusable as error:
        log.info("clip is unusable", clip=clip_id, reason=error.reason)
        _settle(clip_id, number, status=ClipStatus.FAILED, reason=error.reason)
        return
    except probing.ProbeCrashed as error:
        log.error("probe crashed", clip=clip_id, probe=number, error=str(error))
        _set(clip_id, number, wake_at=clock.now())
        return
    settled = _settle(
        clip_id,
        number,
        status=ClipStatus.READY,
        reason=None,
        poster_key=poster_key,
        sha256=sha256,
        content_type=facts.content_type,
        container=facts.container,
        video_codec=facts.video_codec,
        audio_codec=facts.audio_codec,
        duration_ms=facts.duration_ms,
        width=facts.width,
        height=facts.height,
        rotation=facts.rotation,
    )
    if not settled and not _exists(clip_id):
        keys = [_poster_key(storage_key)]  # deleted while it was looked at
        erasures.plan(keys)
        db.session.commit()
        erasures.carry_out(keys)


def shown_name(file_name: str) -> str:
    """A file's name as it may be shown: no folders, no invisible characters, at most 255 characters."""
    return _printable(re.split(r"[/\\]", unicodedata.normalize("NFC", file_name))[-1]).strip()[:255]


def title_from(file_name: str) -> str:
    """A clip's first title: the file's name without what it says of its type."""
    words = _SUFFIXES.sub("", file_name).replace("_", " ").split()
    return " ".join(words)[:MAX_TITLE] or "Без названия"


def one_line(text: str) -> str:
    return " ".join(_printable(text, keep="\r\n\t").split())


def several_lines(text: str) -> str:
    return _printable(text.replace("\r\n", "\n"), keep="\n\t").strip()


def _printable(text: str, keep: str = "") -> str:
    """Without what cannot be seen: control and format characters, halves of characters. Emoji keep their joiners."""
    return "".join(
        char for char in text if char in keep or char in JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
    )


def _poster_key(storage_key: str) -> str:
    """One clip, one poster: a second probe puts it in the same place."""
    return key_from(f"poster of {storage_key}")


def _claim(clip_id: int) -> tuple[str, int] | None:
    """Takes the clip for PROBE_LEASE, unless it is not due. Answers its storage key and the number of this probe."""
    now = clock.now()
    row = db.session.execute(
        update(Clip)
        .where(Clip.id == clip_id, Clip.status == ClipStatus.PROCESSING, _is_due(now))
        .values(wake_at=now + PROBE_LEASE, probes=Clip.probes + 1)
        .returning(Clip.storage_key, Clip.probes)
    ).one_or_none()
    # Gives the connection back: the probe is slow.
    db.session.commit()
    return (row.storage_key, row.probes) if row else None


def _settle(clip_id: int, number: int, **facts) -> bool:
    """Writes the outcome of probe `number`. False when another probe took over, or the clip is gone."""
    return _set(clip_id, number, wake_at=None, version=Clip.version + 1, **facts)


def _set(clip_id: int, number: int, **values) -> bool:
    outcome = db.session.execute(
        update(Clip)
        .where(Clip.id == clip_id, Clip.status == ClipStatus.PROCESSING, Clip.probes == number)
        .values(**values)
        .returning(Clip.user_id, Clip.title, Clip.status, Clip.reason)
    ).one_or_none()
    if outcome and outcome.status != ClipStatus.PROCESSING:
        facts = {"title": outcome.title, "reason": outcome.reason}
        record_event(outcome.user_id, f"clip.{outcome.status}", facts, clip_id=clip_id)
    db.session.commit()
    return outcome is not None


def _exists(clip_id: int) -> bool:
    found = db.session.scalar(select(Clip.id).where(Clip.id == clip_id)) is not None
    db.session.commit()
    return found
