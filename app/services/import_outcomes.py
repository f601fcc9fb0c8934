"""What a worker's try to fetch a clip has come to, and what is written of it: a clip, a refusal, another try."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit, urlunsplit

import structlog

from app import texts
from app.db import after_commit, db
from app.models import ClipImport, ImportState, Render, record_event
from app.services import erasures, new_clips, upload_files
from app.storage import key_from

log = structlog.get_logger(__name__)

PAUSES = (5, 30, 120, 600)  # seconds before each further try
# «Повторить» goes on from where these stopped.
RESUMABLE = ("import_unavailable", "import_busy", "import_interrupted", "storage_away", "import_no_room")


@dataclass(frozen=True)
class Received:
    """All bytes are here, or in the storage already."""

    size: int


@dataclass(frozen=True)
class Failed:
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Later:
    at: datetime
    reason: str
    detail: str = ""
    counts: bool = True  # as a try of the server's


@dataclass(frozen=True)
class Lost:
    """It was cancelled, or another worker has it."""


Outcome = Received | Failed | Later | Lost


def settle(one: ClipImport, outcome: Outcome) -> None:
    """Writes what `receive` has come to; the caller commits."""
    row = db.session.get(ClipImport, one.id, with_for_update=True, populate_existing=True)
    if row is None or row.state == ImportState.CANCELLED:
        _forget(one)
    elif row.state != ImportState.RUNNING or row.fence != one.fence or isinstance(outcome, Lost):
        log.info("an import has gone on without this worker", clip_import=one.id)
    elif isinstance(outcome, Received):
        _make_clip(row, outcome.size)
    elif isinstance(outcome, Failed):
        _fail(row, outcome)
    elif outcome.counts and row.tries > len(PAUSES):
        _fail(row, Failed(outcome.reason, outcome.detail))
    else:
        row.state, row.wake_at = ImportState.WAITING, outcome.at
        row.reason, row.detail = outcome.reason, outcome.detail
        row.tries -= 0 if outcome.counts else 1


def _make_clip(row: ClipImport, size: int) -> None:
    clip = new_clips.make(
        row.user_id,
        key_from(row.key),
        size,
        row.file_name or "clip",
        source=row.source,
        source_name=row.source_name,
        render=new_clips.announced(Render.id == row.render_id) if row.render_id else None,
    )
    parts = urlsplit(row.url)
    row.url = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    row.state, row.clip_id, row.wake_at = ImportState.DONE, clip.id, None
    row.size = row.received = size
    row.reason = row.detail = None


def _fail(row: ClipImport, outcome: Failed) -> None:
    log.info("an import has failed", clip_import=row.id, reason=outcome.reason)
    row.state, row.wake_at = ImportState.FAILED, None
    row.reason, row.detail = outcome.reason, outcome.detail
    if outcome.reason not in RESUMABLE:
        row.size = row.validator = None
        after_commit(partial(upload_files.path(row.key).unlink, missing_ok=True))
    facts = {"title": texts.arrivals.import_name(row), "host": row.host, "reason": outcome.reason, "import": row.id}
    record_event(row.user_id, "clip.import_failed", facts)


def _forget(one: ClipImport) -> None:
    """It was cancelled, or its user deleted, while its bytes came."""
    upload_files.path(one.key).unlink(missing_ok=True)
    erasures.plan([key_from(one.key)])
