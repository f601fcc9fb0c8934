"""A person's own data: all of it to take along, and all of it removed (Federal Law 152-ФЗ)."""

import json
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Any

from flask import current_app
from sqlalchemy import delete, select

from app import clock
from app.db import db
from app.models import (
    LIVE,
    AuditEvent,
    Clip,
    Notification,
    PlatformConnection,
    Publication,
    PublicationEvent,
    StatsSample,
    User,
)
from app.paging import COUNTED, count_up_to
from app.services import audit_log, clips, connections, erasures, uploads, users

BATCH = 500

# What is written down of each thing, by the names of its columns; secrets and our own bookkeeping are not.
_PROFILE = ("email", "name", "timezone", "plan_key", "created_at", "consented_at")
_TABLES: dict[str, tuple[type, tuple[str, ...]]] = {
    "connections": (
        PlatformConnection,
        ("platform", "account_id", "account_name", "account_url", "avatar_url", "facts", "status", "created_at"),
    ),
    "clips": (
        Clip,
        ("title", "description", "file_name", "status", "size", "sha256", "content_type", "duration_ms", "width")
        + ("height", "created_at"),
    ),
    "publications": (
        Publication,
        ("clip_id", "connection_id", "platform", "account_id", "account_name", "account_url", "title", "description")
        + ("options",)
        + ("status", "reason", "detail", "due_at", "external_id", "url", "created_at", "started_at", "published_at")
        + ("views", "likes", "shares"),
    ),
    "publication_events": (PublicationEvent, ("publication_id", "at", "kind", "status", "name", "detail")),
    "stats": (StatsSample, ("publication_id", "at", "views", "likes", "shares")),
    "notifications": (Notification, ("kind", "facts", "created_at", "read_at", "mailed_at")),
    "security": (AuditEvent, ("at", "kind", "detail", "address")),
}


def export(user: User) -> Iterator[str]:
    """One JSON document, piece by piece: an account with a hundred thousand rows takes no more memory than a small one.

    The clips' files are not in it; each clip names the address at which its own can be saved.
    """
    audit_log.record(user.id, "data_downloaded")
    db.session.commit()
    return _document(user.id, _row(user, _PROFILE))


def _document(user_id: int, profile: dict[str, Any]) -> Iterator[str]:
    yield '{\n"made_at": ' + _json(clock.now()) + ',\n"profile": ' + _json(profile)
    for name, (model, columns) in _TABLES.items():
        yield f',\n"{name}": ['
        separator = "\n"
        for row in _rows(model, user_id):
            yield separator + _json({"id": row.id, **_row(row, columns), **_file(row)})
            separator = ",\n"
        yield "\n]"
    yield "\n}\n"


def _rows(model: type, user_id: int) -> Iterator[Any]:
    """In batches, and between them the connection goes back: whoever downloads may be slow."""
    query = select(model).order_by(model.id).limit(BATCH)
    if hasattr(model, "user_id"):
        query = query.where(model.user_id == user_id)
    else:
        query = query.where(model.publication_id.in_(select(Publication.id).where(Publication.user_id == user_id)))
    after = 0
    while rows := db.session.scalars(query.where(model.id > after)).all():
        after = rows[-1].id
        db.session.expunge_all()
        db.session.rollback()
        yield from rows


def _row(row: Any, columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in columns}


def _file(row: Any) -> dict[str, str]:
    if not isinstance(row, Clip):
        return {}
    return {"file": f"{current_app.config['PUBLIC_URL']}/media/clips/{row.id}/video?download=1"}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return str(value.value)
    raise TypeError(type(value).__name__)


# The end of an account


def held(user: User) -> dict[str, int]:
    """What would go with the account: how many `clips`, `connections`, and `live` publications. COUNTED + 1 stands for
    any greater number.
    """
    theirs = {
        "clips": select(Clip).where(Clip.user_id == user.id),
        "connections": select(PlatformConnection).where(PlatformConnection.user_id == user.id),
        "live": select(Publication).where(Publication.user_id == user.id, Publication.status.in_(LIVE)),
    }
    return {name: count_up_to(COUNTED, rows) for name, rows in theirs.items()}


def delete_account(user: User, password: str) -> None:
    """Removes everything of the user: live publications are cancelled, tokens, files and rows go. Raises Problem.

    Broken off half way, it can be done again. Files that the storage does not erase now are erased later.
    """
    users.require_password(user, password)
    uploads.terminate_all(user)
    for connection in connections.all_of(user):
        connections.disconnect(user, connection.id)
    db.session.execute(select(User.id).where(User.id == user.id).with_for_update())  # no clip comes in meanwhile
    keys = clips.plan_erasure(user)
    db.session.execute(delete(User).where(User.id == user.id))
    db.session.commit()
    erasures.carry_out(keys)
