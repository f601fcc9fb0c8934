"""Deletes a user and all that is theirs (Federal Law 152-ФЗ)."""

from sqlalchemy import delete, select

from app.db import db
from app.models import LIVE, Clip, PlatformConnection, Publication, User, lock_user
from app.paging import COUNTED, count_up_to
from app.services import clips, connection_list, connections, undo, uploads, users


def affected(user: User) -> dict[str, int]:
    """How many `clips`, `connections` and `live` publications would be deleted; COUNTED + 1 stands for more."""
    rows = {
        "clips": select(Clip).where(Clip.user_id == user.id),
        "connections": select(PlatformConnection).where(PlatformConnection.user_id == user.id),
        "live": select(Publication).where(Publication.user_id == user.id, Publication.status.in_(LIVE)),
    }
    return {name: count_up_to(COUNTED, query) for name, query in rows.items()}


def delete_user(user: User, password: str) -> None:
    """Live publications are cancelled; tokens, files and rows are deleted. Raises Problem.

    Files that the storage does not erase now are erased later.
    """
    users.require_password(user, password)
    uploads.terminate_all(user)
    for connection in connection_list.all_of(user):
        connections.disconnect(user, connection.id)
    undo.finish_all(user)  # with the tokens of what has just been disconnected
    lock_user(user.id)  # no clip is added meanwhile
    clips.plan_erasure(user)
    db.session.execute(delete(User).where(User.id == user.id))
