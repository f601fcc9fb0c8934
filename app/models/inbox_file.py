from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, UTCDateTime, where


class InboxState(StrEnum):
    SEEN = "seen"  # it may still be growing
    TAKEN = "taken"  # it is a clip; where it came from it may still lie
    DONE = "done"  # put away
    HELD = "held"  # something about it must be mended first: `reason`


class InboxFile(db.Model):
    """A file of the inbox in one version: each becomes a clip once, however often the folder is read."""

    __tablename__ = "inbox_files"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    path: Mapped[str] = mapped_column(String(1024))  # below INBOX_URL
    version: Mapped[str] = mapped_column(String(100))  # size and time of change, or size and ETag
    size: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str] = mapped_column(String(43), unique=True)
    state: Mapped[str] = mapped_column(String(16), default=InboxState.SEEN)
    reason: Mapped[str | None] = mapped_column(String(64))  # a key of texts.REASONS
    detail: Mapped[str | None] = mapped_column(String(400))
    notes: Mapped[str | None] = mapped_column(String(200))  # versions of the texts beside it, as they were read
    tries: Mapped[int] = mapped_column(default=0)
    # When it is looked at again, or the lease of the worker that takes it; None once there is nothing left to do.
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    clip_id: Mapped[int | None] = mapped_column(ForeignKey("clips.id", ondelete="SET NULL"), index=True)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)  # in this version, for the first time

    __table_args__ = (
        UniqueConstraint("path", "version"),
        Index("ix_inbox_files_wake", "wake_at", **where("wake_at IS NOT NULL")),
    )
