"""Clips that are fetched from an address: begun here, carried out by a worker (`import_worker`)."""

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select, update

from app import clock, queue
from app.db import after_commit, db
from app.models import OPEN_IMPORTS, ClipImport, ImportState, Render, Source, User, lock_user
from app.platforms.http import download
from app.problems import NotFound, Problem
from app.services import clips, open_uploads, renders, throttle, upload_files
from app.services.throttle import Limit

MAX_OPEN = 100
MAX_SHOWN = 20
KEPT = timedelta(days=30)
_STARTED_PER_USER = Limit("imports", times=600, seconds=3600)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def start(
    user: User,
    url: str,
    *,
    file_name: str = "",
    sha256: str | None = None,
    render: Render | None = None,
    source: str = Source.IMPORT,
    source_name: str | None = None,
) -> ClipImport:
    """Has a worker fetch the file. `source_name`: the address's host where it is not given. Raises Problem."""
    url = url.strip()
    if reason := download.refuse_address(url):
        raise Problem("import_url_with_password" if reason == "import_credentials" else "import_url_malformed", "url")
    if sha256 is not None and not _SHA256.fullmatch(sha256 := sha256.strip().lower()):
        raise Problem("import_checksum_malformed", "sha256")
    if render:
        renders.require_open(render)
    throttle.hit((_STARTED_PER_USER, str(user.id)))
    _require_room(user)
    host = urlsplit(url).hostname or ""
    one = ClipImport(
        user_id=user.id,
        url=url.partition("#")[0],
        host=host,
        file_name=clips.shown_name(file_name),
        sha256=sha256,
        render_id=render.id if render else None,
        source=source,
        source_name=source_name or host,
        key=secrets.token_urlsafe(32),
        state=ImportState.WAITING,
    )
    db.session.add(one)
    db.session.flush()
    _wake_worker(one.id)
    return one


def get(user: User, import_id: int) -> ClipImport:
    """Raises NotFound, for another user's too."""
    one = db.session.scalar(select(ClipImport).where(ClipImport.id == import_id, ClipImport.user_id == user.id))
    if one is None:
        raise NotFound
    return one


def newest_of(user: User, render: Render) -> ClipImport | None:
    """The last one that was to bring the announced clip."""
    mine = (ClipImport.user_id == user.id, ClipImport.render_id == render.id)
    return db.session.scalar(select(ClipImport).where(*mine).order_by(ClipImport.id.desc()).limit(1))


def shown(user: User) -> Sequence[ClipImport]:
    """What a page shows: those under way and those that have failed, newest first."""
    states = (*OPEN_IMPORTS, ImportState.FAILED)
    mine = select(ClipImport).where(ClipImport.user_id == user.id, ClipImport.state.in_(states))
    return db.session.scalars(mine.order_by(ClipImport.id.desc()).limit(MAX_SHOWN)).all()


def arrived(user: User, import_ids: Sequence[int]) -> Sequence[int]:
    """The clips that these have become."""
    if not import_ids:
        return ()
    mine = (ClipImport.user_id == user.id, ClipImport.id.in_(import_ids[:MAX_SHOWN]), ClipImport.clip_id.is_not(None))
    return db.session.scalars(select(ClipImport.clip_id).where(*mine).order_by(ClipImport.clip_id)).all()


def cancel(user: User, import_id: int) -> ClipImport:
    """What is not over yet; a clip that has come of it stays. Raises NotFound."""
    one = get(user, import_id)
    _end(one, OPEN_IMPORTS, {"state": ImportState.CANCELLED, "wake_at": None, "reason": None, "detail": None})
    return one


def dismiss(user: User, import_id: int) -> None:
    """«Убрать»: a failed one is no longer shown. Raises NotFound."""
    _end(get(user, import_id), (ImportState.FAILED,), {"state": ImportState.CANCELLED})


def _end(one: ClipImport, states: Sequence[str], values: Mapping[str, object]) -> None:
    ended = db.session.execute(
        update(ClipImport)
        .where(ClipImport.id == one.id, ClipImport.state.in_(states))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    db.session.refresh(one)
    if ended.rowcount:
        after_commit(partial(upload_files.path(one.key).unlink, missing_ok=True))


def retry(user: User, import_id: int) -> ClipImport:
    """Once more, from where it stopped if the server allows that. Raises NotFound, Problem."""
    one = get(user, import_id)
    if one.state not in (ImportState.FAILED, ImportState.CANCELLED):
        return one
    throttle.hit((_STARTED_PER_USER, str(user.id)))
    _require_room(user)
    if one.state == ImportState.CANCELLED:
        one.key, one.size, one.validator = secrets.token_urlsafe(32), None, None  # its file is being erased
    one.state, one.reason, one.detail, one.tries, one.wake_at = ImportState.WAITING, None, None, 0, clock.now()
    db.session.flush()
    _wake_worker(one.id)
    return one


def sweep() -> None:
    """Forgets what has been over for long: the clips stay."""
    over = ClipImport.state.not_in(OPEN_IMPORTS)
    db.session.execute(delete(ClipImport).where(over, ClipImport.created_at < clock.now() - KEPT))


def _require_room(user: User) -> None:
    """For one more; the size is checked when the server says it."""
    lock_user(user.id)
    mine = (ClipImport.user_id == user.id, ClipImport.state.in_(OPEN_IMPORTS))
    count = db.session.scalar(select(func.count()).select_from(ClipImport).where(*mine))
    if count >= MAX_OPEN:
        raise Problem("too_many_imports", count=count)
    open_uploads.require_quota(user, open_uploads.of(user), 1)


def _wake_worker(import_id: int) -> None:
    def wake() -> None:
        if not queue.has_enough("app.jobs.arrivals.import_clip"):
            queue.enqueue("app.jobs.arrivals.import_clip", import_id)

    after_commit(wake)
