"""The probe that makes a clip ready: a worker claims the clip, inspects its file outside a transaction, settles it."""

import hashlib
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, Row, and_, case, func, not_, or_, select, update

from app import clock
from app.db import db
from app.media import probe
from app.models import (
    FACTS_VERSION,
    WITH_DELETED,
    Clip,
    ClipStatus,
    Publication,
    User,
    files_of,
    record_event,
    thumbnail_key,
)
from app.models.claim import claim as claim_row
from app.models.types import is_due
from app.publishing import renditions
from app.services import clips, erasures, publish_when_ready
from app.storage import StorageUnavailable, storage

log = structlog.get_logger(__name__)

# A worker whose probe takes longer has ended, and the clip is due again.
LEASE = timedelta(minutes=5)
MAX_PROBES = 3
STORAGE_PAUSE = timedelta(seconds=30)
# A ready one is probed again for facts that its probe of before did not take.
_PROBED = (ClipStatus.PROCESSING, ClipStatus.READY)


def due(limit: int = 100) -> list[int]:
    """Ids of clips to be probed now, oldest first: new ones whose job got lost, and those whose worker ended."""
    ids = select(Clip.id).where(_is_due(clock.now())).order_by(Clip.wake_at).limit(limit)
    return list(db.session.scalars(ids))


def next_turn() -> Row[tuple[int, int, datetime | None]] | None:
    """The next clip's id, its user's, and when a clip of that user was last claimed: the longest ago.

    None where no clip is due, or each user with a due one has as many under way as allowed: one fewer than workers.
    """
    now, most = clock.now(), max(current_app.config["PROBE_WORKERS"] - 1, 1)
    busy = (
        select(Clip.user_id)
        .where(Clip.wake_at > now, not_(_is_due(now)))
        .group_by(Clip.user_id)
        .having(func.count() >= most)
    )
    return db.session.execute(
        select(Clip.id, User.id, User.probed_at)
        .join(User)
        .where(_is_due(now), Clip.user_id.not_in(busy))
        .order_by(User.probed_at.asc().nulls_first(), Clip.wake_at, Clip.id)
        .limit(1)
    ).one_or_none()


def claim_turn(clip_id: int, user_id: int, probed_at: datetime | None) -> Clip | None:
    """The clip, claimed; None where another worker was faster.

    The user's row is changed with it: two workers with the same turn do not claim two clips of one user.
    """
    taken = db.session.execute(
        update(User)
        .where(User.id == user_id, User.probed_at.is_not_distinct_from(probed_at))
        .values(probed_at=clock.now())
    )
    return claim(clip_id) if taken.rowcount else None


def claim(clip_id: int) -> Clip | None:
    """The clip for LEASE, detached, its probe counted; None unless it is due."""
    return claim_row(
        Clip,
        clip_id,
        Clip.status.in_(_PROBED),
        _is_due(clock.now()),
        lease=LEASE,
        probes=Clip.probes + 1,
    )


def _is_due(now: datetime) -> ColumnElement[bool]:
    """A clip that no worker has claimed yet is due since it came in."""
    return or_(is_due(Clip.wake_at, now, LEASE), and_(Clip.probes == 0, Clip.wake_at > now + STORAGE_PAUSE))


def inspect(clip: Clip) -> dict[str, Any]:
    """What a claimed clip is: the columns that `settle` writes. Slow; uses no database."""
    if clip.probes > MAX_PROBES:
        return _failed("probe_failed")
    try:
        return _facts(clip)
    except FileNotFoundError:
        return _failed("file_missing")
    except StorageUnavailable as error:
        log.warning("storage is away", clip=clip.id, error=str(error))
        # Not the clip's fault: this probe does not count.
        return {"wake_at": clock.now() + STORAGE_PAUSE, "probes": clip.probes - 1}
    except probe.Unusable as error:
        log.info("clip is unusable", clip=clip.id, reason=error.reason)
        return _failed(error.reason)
    except probe.ProbeCrashed as error:
        log.error("probe crashed", clip=clip.id, probe=clip.probes, error=str(error))
        return {"wake_at": clock.now()}


def _facts(clip: Clip) -> dict[str, Any]:
    with storage().on_disk(clip.storage_key) as path:
        facts = asdict(probe.probe(path))
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    storage().keep(clip.storage_key)  # here and not where it comes in: an upload need not wait for the disk
    poster_key = clips.key_of_poster(clip.storage_key)
    storage().put_bytes(facts.pop("thumbnail"), thumbnail_key(poster_key))
    storage().put_bytes(facts.pop("poster"), poster_key)
    ready = {"wake_at": None, "status": ClipStatus.READY, "reason": None, "facts_version": FACTS_VERSION}
    return {**ready, "poster_key": poster_key, "sha256": sha256, **facts}


def _failed(reason: str) -> dict[str, Any]:
    return {"wake_at": None, "status": ClipStatus.FAILED, "reason": reason}


def settle(clip: Clip, found: dict[str, Any]) -> None:
    """Writes what `inspect` found, unless a later probe has claimed the clip."""
    is_settled = "status" in found
    if clip.status == ClipStatus.READY and is_settled:
        _settle_again(clip, found)
        return
    row = db.session.execute(
        update(Clip)
        .where(Clip.id == clip.id, Clip.status == clip.status, Clip.probes == clip.probes)
        .values(version=Clip.version + 1 if is_settled else Clip.version, **found)
        .returning(Clip.user_id, Clip.title, Clip.publish_when_ready)
    ).one_or_none()
    if row and is_settled:
        facts = {"title": row.title, "reason": found["reason"]}
        record_event(row.user_id, f"clip.{found['status']}", facts, clip_id=clip.id)
        if row.publish_when_ready:
            publish_when_ready.settle(row.user_id, clip.id, row.title, found["reason"])
    still_there = select(Clip.id).where(Clip.id == clip.id).execution_options(**WITH_DELETED)
    if not row and "poster_key" in found and db.session.scalar(still_there) is None:
        erasures.plan(files_of(found["poster_key"]))  # the clip was deleted meanwhile


def _settle_again(clip: Clip, found: dict[str, Any]) -> None:
    """Of a clip that is ready already: the facts. Where they cannot be taken it stays as it is, without them."""
    if found["status"] != ClipStatus.READY:
        found = {"wake_at": None, "facts_version": FACTS_VERSION}
    found.pop("sha256", None)  # of what was uploaded, whatever has become of the file
    if "poster_key" in found:
        found["poster_key"] = case((Clip.cover.is_not(None), Clip.poster_key), else_=found["poster_key"])
    kept = update(Clip).where(Clip.id == clip.id, Clip.probes == clip.probes).values(version=Clip.version + 1, **found)
    db.session.execute(kept.execution_options(synchronize_session=False))
    renditions.resume(Publication.clip_id == clip.id)
