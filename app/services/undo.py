"""What a user has cancelled, moved, deleted or disconnected is taken back for some seconds; then it is done for good.

At once it is as if it was done: a cancelled publication is not published, a deleted clip or connection is found by no
query (`models.soft_deletion`). A periodic task finishes it, after a restart too.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, not_, select, update

from app import clock, platforms
from app.db import db
from app.models import (
    UNDO_TIME,
    WITH_DELETED,
    Clip,
    PlatformConnection,
    Undo,
    UndoKind,
    UndoState,
    User,
    lock_plan,
)
from app.models.types import is_due
from app.platform_access import revocations
from app.problems import NotFound, Problem
from app.publishing import cancellation, rescheduling
from app.services import audit_log, clips, erasures, slot_changes

# A press that comes late is told so.
_KEPT = timedelta(days=1)
_MOST_AT_ONCE = 100
_UNFINISHED = (UndoState.HELD, UndoState.FINISHING)


def hold(
    user: User,
    kind: UndoKind,
    *,
    publications: Sequence[dict[str, Any]] = (),
    clip_ids: Sequence[int] = (),
    connection_id: int | None = None,
) -> Undo:
    """Keeps what takes it back. The caller has changed the publications; clips and connection are hidden here."""
    now = clock.now()
    gone = update(Clip).where(Clip.id.in_(clip_ids)), update(PlatformConnection).filter_by(id=connection_id)
    for rows in gone:
        db.session.execute(rows.values(deleted_at=now).execution_options(synchronize_session="fetch"))
    held = Undo(
        user_id=user.id,
        kind=kind,
        publications=list(publications),
        clip_ids=list(clip_ids),
        connection_id=connection_id,
    )
    db.session.add(held)
    db.session.flush()
    return held


def get(user: User, undo_id: int) -> Undo:
    """Raises NotFound, for another user's too."""
    held = db.session.get(Undo, undo_id, populate_existing=True)
    if held is None or held.user_id != user.id:
        raise NotFound
    return held


def restore(user: User, undo_id: int) -> Undo:
    """«Вернуть»; a second press changes nothing. Raises NotFound, Problem where it is too late.

    The undo's `publications` are then those that were restored: to others something has happened since.
    """
    # What comes back must not miss a smaller plan, a pause, or a slot that moves at the same moment.
    lock_plan(user.id)
    held = get(user, undo_id)
    if held.state == UndoState.RESTORED:
        return held
    if not _take(undo_id, UndoState.RESTORED, Undo.state == UndoState.HELD, not_(_is_over())):
        if get(user, undo_id).state == UndoState.RESTORED:  # by the other half of a double press
            return held
        raise Problem("undo_too_late")
    if held.connection_id:
        _restore_connection(held.connection_id)
    here = update(Clip).where(Clip.id.in_(held.clip_ids)).values(deleted_at=None, version=Clip.version + 1)
    db.session.execute(here.execution_options(synchronize_session=False))
    back = rescheduling.restore_many if held.kind == UndoKind.MOVE else cancellation.restore_many
    restored = back(held.publications)
    if held.kind in (UndoKind.CANCEL, UndoKind.MOVE) and not restored:
        raise Problem("undo_too_late")
    slot_changes.part(user, [kept["id"] for kept in restored])
    held = get(user, undo_id)
    held.publications = restored
    return held


def _restore_connection(connection_id: int) -> None:
    """Not where the same account is connected anew: that one stays."""
    gone = db.session.get(PlatformConnection, connection_id, with_for_update=True, execution_options=WITH_DELETED)
    again = gone and db.session.scalar(
        select(PlatformConnection.id).filter_by(
            user_id=gone.user_id, platform=gone.platform, account_id=gone.account_id
        )
    )
    if gone is None or again:
        raise Problem("undo_connected_again")
    gone.deleted_at = None
    name = platforms.ADAPTERS[gone.platform].name
    audit_log.record(gone.user_id, "disconnect_undone", f"{name}: {gone.account_name}")
    db.session.flush()


# Once it is too late


def due() -> list[int]:
    """Ids of what is to be finished, oldest first; also what was left in the middle."""
    over = select(Undo.id).where(Undo.state.in_(_UNFINISHED), _is_over())
    return list(db.session.scalars(over.order_by(Undo.expires_at).limit(_MOST_AT_ONCE)))


def begin_to_finish(undo_id: int) -> list[int]:
    """From here on it cannot be taken back. Deletes the connection with its token; returns the clips to be deleted,
    each in a transaction of its own.
    """
    if not _take(undo_id, UndoState.FINISHING, Undo.state == UndoState.HELD):
        left = db.session.get(Undo, undo_id, populate_existing=True)
        return left.clip_ids if left and left.state == UndoState.FINISHING else []
    held = db.session.get(Undo, undo_id, populate_existing=True)
    if held.connection_id:
        remove_connection(held.connection_id)
    if held.kind != UndoKind.MOVE:
        for kept in held.publications:
            cancellation.finish(kept)
    return held.clip_ids


def end(undo_id: int) -> None:
    _take(undo_id, UndoState.FINISHED, Undo.state == UndoState.FINISHING)


def remove_connection(connection_id: int) -> None:
    """A worker revokes its token at the platform. Publications keep the account's name, its link and their history."""
    gone = db.session.get(PlatformConnection, connection_id, with_for_update=True, execution_options=WITH_DELETED)
    if gone is not None:
        revocations.keep(gone)
        db.session.delete(gone)
        db.session.flush()


def remove_clip(clip_id: int) -> None:
    """Deletes the clip for good; a worker erases its files. Raises Problem while a publication of it is live: it began
    at the moment of the deletion, and comes to its end.
    """
    deleted = select(Clip.user_id).where(Clip.id == clip_id, Clip.deleted_at.is_not(None))
    user_id = db.session.scalar(deleted.execution_options(**WITH_DELETED))
    if user_id is not None:
        clips.remove(user_id, clip_id, erasures.hand_over)


def finish_all(user: User) -> None:
    """At once, when the user's account is deleted: nothing is taken back any more."""
    unfinished = select(Undo.id).where(Undo.user_id == user.id, Undo.state.in_(_UNFINISHED))
    for undo_id in db.session.scalars(unfinished).all():
        for clip_id in begin_to_finish(undo_id):
            remove_clip(clip_id)
        end(undo_id)


def sweep() -> None:
    """Those that are over, once nobody can press any more. None that is unfinished."""
    over = Undo.state.in_((UndoState.RESTORED, UndoState.FINISHED)), Undo.expires_at < clock.now() - _KEPT
    db.session.execute(delete(Undo).where(*over).execution_options(synchronize_session=False))


def _is_over() -> ColumnElement[bool]:
    return is_due(Undo.expires_at, clock.now(), UNDO_TIME)


def _take(undo_id: int, to: UndoState, *where: ColumnElement[bool]) -> bool:
    """One conditional UPDATE: of two at the same moment one wins."""
    taken = update(Undo).where(Undo.id == undo_id, *where).values(state=to)
    return bool(db.session.execute(taken.execution_options(synchronize_session=False)).rowcount)
