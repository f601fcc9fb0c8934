"""How a worker makes a rendition: claims the row, has the file made outside a transaction, settles it.

A worker that ends in the middle leaves a lease that runs out: the next one begins again, with a fence of its own.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.orm import aliased

from app import clock
from app.db import db
from app.media import probe, recipe_process
from app.media.recipes.recipe import RecipeFailed
from app.models import Clip, Publication, Rendition, RenditionState
from app.models.claim import claim as claim_row
from app.models.types import is_due
from app.publishing import recipes, renditions
from app.services import erasures, upload_files
from app.storage import StorageUnavailable, key_from, storage

log = structlog.get_logger(__name__)

# Kept up while the file is being made, and a longer one to take it into the storage.
LEASE = timedelta(seconds=45)
STORE_LEASE = timedelta(minutes=20)
MAX_TRIES = 3
# How often its worker may end in the middle: restarts of ours must not use it up.
_MOST_ENDS = 10
# A disk that is full, a storage that is away: not the clip's fault. In all, about two hours.
_PAUSES = [timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 600)] + [timedelta(minutes=10)] * 10
_NO_ROOM, _STORAGE_AWAY = "recipe_no_room", "storage_away"

# Says how far it is and keeps the lease: percent in, whether the row is still this worker's out.
Note = Callable[..., bool]


class _Lost(Exception):
    """Another worker has it, or its clip is gone."""


def due(limit: int = 100, *, lossless_only: bool = False) -> list[int]:
    found = select(Rendition.id).where(_is_due(), *_kinds(lossless_only)).order_by(Rendition.wake_at).limit(limit)
    return list(db.session.scalars(found))


def due_copies(limit: int = 100) -> list[int]:
    return due(limit, lossless_only=True)


def next_turn(*, lossless_only: bool = False) -> Row[tuple[int, int]] | None:
    """The next rendition's id and its user's; None where none may be made now.

    The user whose turn was longest ago; of theirs what is done soonest, then what is wanted first. With several workers
    a user's encodings leave one for others.
    """
    other = aliased(Rendition)
    last = select(func.max(other.claimed_at)).where(other.user_id == Rendition.user_id).scalar_subquery()
    busy = (
        select(other.user_id)
        .where(other.state == RenditionState.WAITING, other.claimed_at.is_not(None), other.wake_at > clock.now())
        .where(~other.is_lossless)
        .group_by(other.user_id)
        .having(func.count() >= max(current_app.config["MEDIA_WORKERS"] - 1, 1))
    )
    return db.session.execute(
        select(Rendition.id, Rendition.user_id)
        .where(_is_due(), *_kinds(lossless_only), Rendition.is_lossless | Rendition.user_id.not_in(busy))
        .order_by(last.asc().nulls_first(), Rendition.is_lossless.desc(), Rendition.wanted_at, Rendition.id)
        .limit(1)
    ).one_or_none()


def claim(rendition_id: int) -> Rendition | None:
    """The row, detached, for LEASE; None where another worker was faster.

    Each try has a file of its own in the storage: what one of before has left there is erased.
    """
    before = db.session.scalar(select(Rendition.storage_key).where(Rendition.id == rendition_id))
    taken = claim_row(
        Rendition,
        rendition_id,
        _is_due(),
        lease=LEASE,
        fence=Rendition.fence + 1,
        tries=Rendition.tries + 1,
        claimed_at=clock.now(),
        storage_key=key_from(os.urandom(32).hex()),
        progress=0,
    )
    if taken is not None and before is not None:
        erasures.hand_over([before])
    return taken


def _is_due() -> ColumnElement[bool]:
    return (Rendition.state == RenditionState.WAITING) & is_due(Rendition.wake_at, clock.now(), STORE_LEASE)


def _kinds(lossless_only: bool) -> tuple[ColumnElement[bool], ...]:
    return (Rendition.is_lossless,) if lossless_only else ()


def note(one: Rendition, percent: int, lease: timedelta = LEASE) -> bool:
    """Keeps the lease and shows how far it is; False where the row is no longer this worker's."""
    mine = update(Rendition).where(Rendition.id == one.id, Rendition.fence == one.fence)
    kept = mine.values(wake_at=clock.now() + lease, progress=percent)
    if not db.session.execute(kept.execution_options(synchronize_session=False)).rowcount:
        return False
    renditions.show_progress(one.id, percent)
    return True


def clip_of(one: Rendition) -> Clip | None:
    """None where it is deleted, though it may still be taken back."""
    clip = db.session.scalar(select(Clip).where(Clip.id == one.clip_id))
    if clip is not None:
        db.session.expunge(clip)
    return clip


def make(one: Rendition, clip: Clip | None, note: Note) -> dict[str, Any]:
    """The columns that `settle` writes. Slow; uses the database only by `note`."""
    if clip is None:
        return _later(one, None)
    if one.tries > _MOST_ENDS and one.reason is None:
        return _failed("recipe_failed")  # its worker has ended each time
    target = upload_files.path(f"rendition-{one.id}-{one.fence}")
    _remove_older(one, target)
    try:
        return _made(one, clip, target, note)
    except _Lost:
        return {}
    except FileNotFoundError:
        return _failed("file_missing")
    except StorageUnavailable as error:
        log.warning("storage is away", rendition=one.id, error=str(error))
        return _later(one, _STORAGE_AWAY)
    except RecipeFailed as failed:
        log.warning("a rendition failed", rendition=one.id, reason=failed.reason, detail=failed.detail)
        return _later(one, _NO_ROOM) if failed.reason == _NO_ROOM else _failed(failed.reason)
    except (recipe_process.RecipeCrashed, probe.ProbeCrashed) as error:
        log.error("a rendition crashed", rendition=one.id, attempt=one.tries, error=str(error))
        return _later(one, None) if one.tries < MAX_TRIES else _failed("recipe_failed")
    except probe.Unusable as error:
        log.error("a rendition cannot be read", rendition=one.id, reason=error.reason)
        return _failed("recipe_failed")
    finally:
        target.unlink(missing_ok=True)


def _made(one: Rendition, clip: Clip, target: Path, note: Note) -> dict[str, Any]:
    recipe = recipes.from_row(one.recipe)
    room = shutil.disk_usage(target.parent).free - upload_files.SPARE_DISK
    if room < (clip.size if one.is_lossless else recipes.Outcome(clip, recipe).size):
        raise RecipeFailed(_NO_ROOM, f"{room} bytes are free")

    def progress(part: float) -> None:
        if not note(percent=int(part * 100)):
            raise _Lost

    with storage().on_disk(clip.storage_key) as source:
        recipe_process.make(source, target, recipe, room, _seldom(progress))
    facts = asdict(probe.probe(target))
    for name in probe.PICTURES:
        facts.pop(name)
    with target.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size = target.stat().st_size
    if not note(percent=100, lease=STORE_LEASE):
        raise _Lost
    storage().put_file(target, one.storage_key)
    storage().keep(one.storage_key)
    ready = {"state": RenditionState.READY, "wake_at": None, "reason": None, "progress": 100}
    return ready | {"size": size, "sha256": sha256, "facts": facts, "settled_at": clock.now()}


def _seldom(progress: Callable[[float], None]) -> Callable[[float], None]:
    """At most once a second: each is a write."""
    last = clock.boottime() - 1

    def report(part: float) -> None:
        nonlocal last
        if clock.boottime() - last >= 1:
            last = clock.boottime()
            progress(part)

    return report


def _remove_older(one: Rendition, target: Path) -> None:
    """What a worker that was killed has left on this machine."""
    for path in target.parent.glob(f"rendition-{one.id}-*"):
        if path != target:
            with suppress(OSError):
                path.unlink()


def _failed(reason: str) -> dict[str, Any]:
    return {"state": RenditionState.FAILED, "wake_at": None, "reason": reason, "settled_at": clock.now()}


def _later(one: Rendition, reason: str | None) -> dict[str, Any]:
    """`reason`: what is away on our side, which does not count as a crash."""
    if one.tries > len(_PAUSES):
        return _failed(reason or "recipe_failed")
    return {"wake_at": clock.now() + _PAUSES[one.tries - 1], "reason": reason, "progress": 0}


def settle(one: Rendition, made: dict[str, Any]) -> None:
    """Writes what `make` made, unless a later try has the row, and wakes the publications that wait for it."""
    kept = update(Rendition).where(Rendition.id == one.id, Rendition.fence == one.fence)
    written = made and db.session.execute(kept.values(**made).execution_options(synchronize_session=False)).rowcount
    if written and "state" in made:
        renditions.resume(Publication.rendition_id == one.id)
    elif written:
        renditions.show_progress(one.id, 0, made["reason"])
    if not written and "sha256" in made:
        erasures.hand_over([one.storage_key])  # the clip was deleted meanwhile
