from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, insert
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import JSON, Id, String, UTCDateTime


class Event(db.Model):
    """What happened, written in the transaction that changes the state. Consumers read it with a cursor each.

    The ids of its subjects are no foreign keys, and `data` has what a consumer needs of them: an event is still read
    when its clip or account is gone. It goes with its user.
    """

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(32))  # "publication.failed"
    publication_id: Mapped[int | None] = mapped_column(Id)
    clip_id: Mapped[int | None] = mapped_column(Id)
    connection_id: Mapped[int | None] = mapped_column(Id)
    data: Mapped[dict] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    # SQLite would give the id of a deleted last row to the next one, which cursors have passed.
    __table_args__ = {"sqlite_autoincrement": True}


# Built once and without the ORM: a worker holds SQLite's one write lock while a statement is put together.
_INSERT = insert(Event.__table__)


def record_event(
    user_id: int,
    kind: str,
    data: dict[str, Any],
    *,
    publication_id: int | None = None,
    clip_id: int | None = None,
    connection_id: int | None = None,
) -> None:
    """The caller commits it together with the change."""
    row = {"user_id": user_id, "kind": kind, "data": data}
    subjects = {"publication_id": publication_id, "clip_id": clip_id, "connection_id": connection_id}
    db.session.execute(_INSERT, row | subjects)
