"""Uploads that are not complete: what they take of the quota, and what a page needs to continue them."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import func, select

from app.db import db
from app.models import OPEN_IMPORTS, Clip, ClipImport, ClipStatus, Upload, User, lock_user
from app.problems import Problem
from app.services import clips, upload_files

GIB = 1 << 30


@dataclass(frozen=True)
class Unfinished:
    """An upload that can be continued or forgotten."""

    upload: Upload
    offset: int


def of(user: User) -> Sequence[Upload]:
    """Oldest first."""
    return db.session.scalars(
        select(Upload).where(Upload.user_id == user.id, Upload.clip_id.is_(None)).order_by(Upload.created_at, Upload.id)
    ).all()


def unfinished(user: User) -> list[Unfinished]:
    """Oldest first. One whose file has moved on is complete, and becomes a clip when it is continued."""
    return [
        Unfinished(upload, state[0] if (state := upload_files.received(upload.id)) else upload.length)
        for upload in of(user)
    ]


def require_quota(user: User, others: Iterable[Upload], length: int, *, import_id: int | None = None) -> None:
    """Raises Problem unless an upload of `length` bytes has room beside the user's clips, `others` and what is being
    fetched from addresses; `import_id`: the import whose bytes these are.

    Uploads under way count in full, so that not too much is promised at once; interrupted ones as far as they came:
    `resume` looks again whether there is room for the rest.
    """
    promised = length + clips.used_bytes(user) + _being_imported(user, import_id)
    for other in others:
        state = upload_files.received(other.id)
        promised += state[0] if state and not state[1] else other.length
    if promised > user.plan.storage_gb * GIB:
        raise Problem("quota_full", plan=user.plan.title, max_gb=user.plan.storage_gb)


def _being_imported(user: User, but: int | None) -> int:
    size = func.coalesce(ClipImport.size, ClipImport.received)
    mine = (ClipImport.user_id == user.id, ClipImport.state.in_(OPEN_IMPORTS), ClipImport.id != (but or 0))
    return db.session.scalar(select(func.coalesce(func.sum(size), 0)).where(*mine))


def resume(user: User, upload: Upload) -> None:
    """Before an interrupted upload goes on: from now on it counts in full. Raises Problem where there is no room."""
    state = upload_files.received(upload.id)
    if upload.clip_id or state is None or state[1]:
        return
    lock_user(user.id)
    require_quota(user, [other for other in of(user) if other.id != upload.id], upload.length)
    with suppress(FileNotFoundError):
        os.utime(upload_files.path(upload.id))


def same_clip(user: User, fingerprint: str) -> Clip | None:
    """The newest clip that was made of a file with that fingerprint, unless it cannot be used."""
    return db.session.scalar(
        select(Clip)
        .where(Clip.user_id == user.id, Clip.fingerprint == fingerprint, Clip.status != ClipStatus.FAILED)
        .order_by(Clip.id.desc())
        .limit(1)
    )
