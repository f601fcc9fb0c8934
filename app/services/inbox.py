"""The inbox: which files have come, when each is whole, and what becomes of them. A file is a row, taken once."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app import clock
from app.db import db
from app.media import containers
from app.models import InboxFile, InboxState, User
from app.models.claim import claim as claim_row
from app.models.types import is_due
from app.services import inbox_notes
from app.storage.inbox import Entry

LEASE = timedelta(minutes=30)
# What is held is looked at again: a plan may have room by then.
HELD_PAUSE = timedelta(minutes=10)
KEPT = timedelta(days=30)
_BATCH = 500
_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True)
class Listing:
    """What lies there now: clips, and the files that say something of them."""

    clips: Mapping[str, Entry]
    notes: Mapping[str, Entry]

    def notes_of(self, clip: Entry) -> list[Entry]:
        """The file beside it, or the folder's plan; in the order in which they are read."""
        names = [*inbox_notes.names_for(clip.name), inbox_notes.PLAN]
        return [self.notes[path] for name in names if (path := f"{clip.folder}/{name}") in self.notes]


def listing(entries: Iterable[Entry]) -> Listing:
    clips, notes = {}, {}
    for entry in entries:
        name = entry.name.lower()
        if name.endswith(containers.SUFFIXES):
            clips[entry.path] = entry
        elif name.endswith(inbox_notes.SUFFIXES):
            notes[entry.path] = entry
    return Listing(clips, notes)


def note(found: Listing) -> list[int]:
    """Adds files that are new, forgets those that are gone, and returns the ids of those that are due now."""
    now = clock.now()
    owners = users_by_folder({entry.user for entry in found.clips.values()})
    known = {(row.path, row.version): row for row in _rows()}
    new = [
        {
            "user_id": owners[entry.user],
            "path": entry.path,
            "version": entry.version,
            "size": entry.size,
            "key": secrets.token_urlsafe(32),
            "state": InboxState.SEEN,
            "tries": 0,
            "wake_at": now + _stable_after(),
            "seen_at": now,
        }
        for entry in found.clips.values()
        if entry.user in owners and (entry.path, entry.version) not in known
    ]
    if new:
        add = _INSERTS[db.engine.dialect.name](InboxFile.__table__).on_conflict_do_nothing()
        db.session.execute(add, new)
    gone = []
    for (path, version), row in known.items():
        here = found.clips.get(path)
        if row.state in (InboxState.SEEN, InboxState.HELD) and (here is None or here.version != version):
            gone.append(row.id)
        elif row.state == InboxState.HELD and here and row.notes != versions_of(found.notes_of(here)):
            row.wake_at = now
    if gone:
        db.session.execute(delete(InboxFile).where(InboxFile.id.in_(gone)))
    db.session.flush()
    due = select(InboxFile.id).where(_is_due(now)).order_by(InboxFile.seen_at, InboxFile.id)
    return list(db.session.scalars(due.limit(_BATCH)))


def _rows() -> Sequence[InboxFile]:
    """Of what may still lie there."""
    return db.session.scalars(select(InboxFile).where(InboxFile.state != InboxState.DONE)).all()


def versions_of(notes: Sequence[Entry]) -> str:
    return ",".join(one.version for one in notes)[:200]


def users_by_folder(names: Iterable[str]) -> dict[str, int]:
    """A user's folder is called by the e-mail or the number; others are nobody's."""
    names = list(names)
    numbers = {name: int(name) for name in names if name.isascii() and name.isdecimal() and len(name) < 19}
    emails = {name: name.casefold() for name in names if "@" in name}
    mine = or_(User.id.in_(numbers.values()), User.email.in_(emails.values()))
    users = db.session.execute(select(User.id, User.email).where(mine)).all()
    by_email, ids = {email: number for number, email in users}, {number for number, _ in users}
    found = {name: number for name, number in numbers.items() if number in ids}
    return found | {name: by_email[email] for name, email in emails.items() if email in by_email}


def unknown_folders(entries: Iterable[Entry]) -> list[str]:
    """Those that belong to no user: nothing in them is taken."""
    names = {entry.user for entry in entries}
    return sorted(names - users_by_folder(names).keys())


def claim(row_id: int) -> InboxFile | None:
    """The file's row, claimed and detached; None where it is not due any more."""
    return claim_row(InboxFile, row_id, _is_due(clock.now()), lease=LEASE, tries=InboxFile.tries + 1)


def owner(row: InboxFile) -> User | None:
    """Detached, as the row is."""
    if (user := db.session.get(User, row.user_id)) is not None:
        db.session.expunge(user)
    return user


def _is_due(now: datetime) -> ColumnElement[bool]:
    return (InboxFile.state != InboxState.DONE) & is_due(InboxFile.wake_at, now, timedelta(hours=2))


def _stable_after() -> timedelta:
    return timedelta(seconds=current_app.config["INBOX_STABLE_SECONDS"])


def is_stable(entry: Entry) -> bool:
    """By its own time of change; one from the future is a clock's fault."""
    return not timedelta(0) <= clock.now() - entry.changed_at < _stable_after()


def end(row: InboxFile, *, is_away: bool) -> None:
    """After it has been put away. One that stays is remembered for as long as it may lie there."""
    state = InboxState.DONE if is_away else InboxState.TAKEN
    db.session.execute(update(InboxFile).where(InboxFile.id == row.id).values(state=state, wake_at=None))


def sweep() -> None:
    done = (InboxFile.state == InboxState.DONE, InboxFile.seen_at < clock.now() - KEPT)
    db.session.execute(delete(InboxFile).where(*done))
