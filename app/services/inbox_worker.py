"""How a worker takes a file from the inbox: its texts, its bytes, its clip, and then the file is put away.

Each step may be done twice: the row remembers how far it is, and the storage whether the bytes are there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from flask import current_app

from app import clock
from app.db import db
from app.media import containers
from app.models import InboxFile, InboxState, Render, Source, User, lock_user, record_event
from app.problems import Problem
from app.services import erasures, inbox, inbox_notes, new_clips, open_uploads, renders, upload_files
from app.services.inbox import Listing
from app.services.inbox_notes import Note
from app.services.upload_files import MIB
from app.storage import StorageUnavailable, key_from, storage
from app.storage.inbox import Changed, Entry, Inbox

log = structlog.get_logger(__name__)

MAX_TRIES = 20
_SOON = timedelta(seconds=15)
_OUTAGE_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True)
class Taken:
    """Its bytes are in the storage."""

    size: int
    render_id: int | None


@dataclass(frozen=True)
class Held:
    reason: str
    detail: str = ""
    notes: str = ""  # the versions of what was read beside it


@dataclass(frozen=True)
class Later:
    pause: timedelta = _SOON


Outcome = Taken | Held | Later
# In a unit of work of its own: the id of the announcement, None where nothing is said of the clip.
Announce = Callable[[Note | None, int], int | None]


def announce(row: InboxFile, note: Note | None, size: int) -> int | None:
    """Before a file is taken: whether the plan has room for it, and what is said of it. Raises Problem."""
    lock_user(row.user_id)
    user = db.session.get(User, row.user_id)
    open_uploads.require_quota(user, open_uploads.of(user), size)
    if note is None:
        return None
    known = renders.get_by_external_id(user, note.id) if note.id else None
    if known and known.clip_id:
        raise Problem("note_id_taken", "id", id=note.id)
    render = renders.announce(
        user,
        external_id=note.id or f"inbox-{row.id}",  # a second try announces no second clip
        title=note.title,
        description=note.text,
        rule_id=note.rule,
        when=note.when,
        source=Source.INBOX,
        source_name=_folder(row),
    )
    return render.id


def take(row: InboxFile, user: User, found: Listing, source: Inbox, announce: Announce) -> Outcome:
    """Slow; uses the database only by `announce`."""
    entry = found.clips.get(row.path)
    key = key_from(row.key)
    if row.tries > MAX_TRIES and row.state == InboxState.SEEN:
        return Held("inbox_changed")
    try:
        if entry is None or entry.version != row.version:
            return Later()
        beside = found.notes_of(entry)
        if not all(inbox.is_stable(one) for one in beside):
            return Later()
        notes = inbox.versions_of(beside)
        try:
            if entry.size > current_app.config["MAX_CLIP_MB"] * MIB:
                return Held("import_too_large", notes=notes)
            render_id = announce(_note(user, entry, beside, source), entry.size)
        except Problem as problem:
            is_full = problem.code == "quota_full"
            return Held("import_quota_full" if is_full else "inbox_note", "" if is_full else problem.text, notes)
        if storage().exists(key):
            return Taken(storage().size(key), render_id)
        return _copy(row, entry, source, render_id, notes)
    except (Changed, FileNotFoundError):
        return Later()
    except StorageUnavailable as error:
        log.warning("an inbox or the storage is away", error=str(error))
        return Later(_OUTAGE_PAUSE)
    except Problem as problem:  # no room on the disk
        log.warning("a file cannot be taken yet", code=problem.code)
        return Later(_OUTAGE_PAUSE)
    except OSError as error:
        log.warning("a file of the inbox cannot be read", error=type(error).__name__)
        return Held("inbox_unreadable")


def _note(user: User, entry: Entry, beside: list[Entry], source: Inbox) -> Note | None:
    """The first that says something of the clip. Raises Problem."""
    for one in beside:
        content = inbox_notes.content_of(one.name, one.size, lambda one=one: b"".join(source.blocks(one)))
        if note := inbox_notes.read(user, entry.name, one.name, content):
            return note
    return None


def _copy(row: InboxFile, entry: Entry, source: Inbox, render_id: int | None, notes: str) -> Outcome:
    upload_files.require_room(entry.size)
    path = upload_files.path(row.key)
    path.touch(mode=0o600)
    size = 0
    with upload_files.locked(row.key) as file:
        file.truncate(0)
        for block in source.blocks(entry):
            if size == 0 and not containers.begins_as_video(block[: containers.SIGNATURE_BYTES]):
                path.unlink(missing_ok=True)
                return Held("import_not_video", notes=notes)
            size += len(block)
            upload_files.write(file, block)
        if size != entry.size:
            return Later()
        if size == 0:
            path.unlink(missing_ok=True)
            return Held("import_empty", notes=notes)
        storage().put_file(path, key_from(row.key))
    return Taken(size, render_id)


def settle(row: InboxFile, outcome: Outcome) -> bool:
    """Writes what `take` has come to; whether the file is to be put away now."""
    one = db.session.get(InboxFile, row.id, with_for_update=True, populate_existing=True)
    if one is None:
        if isinstance(outcome, Taken):  # its user is deleted
            erasures.plan([key_from(row.key)])
        return False
    if isinstance(outcome, Taken):
        if one.clip_id is None and one.state != InboxState.TAKEN:
            _make_clip(one, outcome)
        return True
    if isinstance(outcome, Held):
        _hold(one, outcome)
    else:
        one.wake_at = clock.now() + outcome.pause
        if outcome.pause == _OUTAGE_PAUSE:
            one.tries = 0  # not the file's fault
    return False


def put_away(row: InboxFile, found: Listing, source: Inbox) -> bool | None:
    """The clip and the files that were read for it alone; False where the clip stays, None where it is to be tried
    again. Slow.
    """
    entry = found.clips.get(row.path)
    if entry is None or entry.version != row.version:
        return True
    try:
        for one in found.notes_of(entry):
            if one.name != inbox_notes.PLAN:
                source.put_away(one)
        return source.put_away(entry)
    except (StorageUnavailable, OSError) as error:
        log.warning("a file of the inbox stays where it is", error=type(error).__name__)
        return None


def _make_clip(one: InboxFile, outcome: Taken) -> None:
    clip = new_clips.make(
        one.user_id,
        key_from(one.key),
        outcome.size,
        one.path.rpartition("/")[2],
        source=Source.INBOX,
        source_name=_folder(one),
        render=new_clips.announced(Render.id == outcome.render_id) if outcome.render_id else None,
    )
    one.clip_id, one.state, one.reason, one.detail = clip.id, InboxState.TAKEN, None, None
    one.wake_at = clock.now() + _OUTAGE_PAUSE


def _hold(one: InboxFile, outcome: Held) -> None:
    """Nothing is lost: the file stays where it is. Its user is told once for each thing that is wrong."""
    is_news = (one.reason, one.detail) != (outcome.reason, outcome.detail or None)
    one.state, one.reason, one.detail = InboxState.HELD, outcome.reason, outcome.detail or None
    one.notes, one.tries, one.wake_at = outcome.notes, 0, clock.now() + inbox.HELD_PAUSE
    if is_news:
        name = one.path.rpartition("/")[2]
        facts = {"title": name, "host": _folder(one) or "папка", "reason": outcome.reason, "detail": outcome.detail}
        record_event(one.user_id, "clip.import_failed", facts)


def _folder(row: InboxFile) -> str | None:
    """Below the user's own folder: what rules and pages call it by."""
    return "/".join(row.path.split("/")[1:-1])[:64] or None
