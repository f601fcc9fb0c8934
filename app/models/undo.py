from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.soft_deletion import UNDO_TIME
from app.models.types import JSON, Id, String, UTCDateTime, where


class UndoKind(StrEnum):
    CANCEL = "cancel"
    DELETE = "delete"
    DISCONNECT = "disconnect"
    MOVE = "move"


class UndoState(StrEnum):
    HELD = "held"
    RESTORED = "restored"
    FINISHING = "finishing"  # what was deleted is being deleted for good
    FINISHED = "finished"


class Undo(db.Model):
    """What a user has done and can take back until `expires_at`. Then a periodic task does it for good."""

    __tablename__ = "undos"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), default=UndoState.HELD)
    clip_ids: Mapped[list] = mapped_column(JSON, default=list)
    connection_id: Mapped[int | None] = mapped_column(Id)  # no foreign key: the row outlives it
    # The publications that it cancelled or moved, as they were: see `publishing.cancellation` and `rescheduling`.
    publications: Mapped[list] = mapped_column(JSON, default=list)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, default=lambda: clock.now() + UNDO_TIME)

    __table_args__ = (
        Index("ix_undos_unfinished", "expires_at", **where("state IN ('held', 'finishing')")),
        Index("ix_undos_over", "expires_at", **where("state IN ('restored', 'finished')")),
    )
