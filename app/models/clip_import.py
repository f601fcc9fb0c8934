from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, Text, UTCDateTime, where


class ImportState(StrEnum):
    WAITING = "waiting"  # for a worker, or for the next try
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_IMPORTS = (ImportState.WAITING, ImportState.RUNNING)


class ClipImport(db.Model):
    """A file that a worker fetches from an address, to become a clip.

    Its bytes grow in `upload_files.path(key)` of the worker's machine, whose size is the offset: nothing else counts.
    """

    __tablename__ = "clip_imports"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    # It may hold a key to the file: pages show the host, and when the file is here the rest is dropped.
    url: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(String(255))
    file_name: Mapped[str] = mapped_column(String(255), default="")
    sha256: Mapped[str | None] = mapped_column(String(64))  # as it must be
    render_id: Mapped[int | None] = mapped_column(ForeignKey("renders.id", ondelete="SET NULL"), index=True)
    source: Mapped[str] = mapped_column(String(16))
    source_name: Mapped[str | None] = mapped_column(String(64))

    key: Mapped[str] = mapped_column(String(43), unique=True)
    size: Mapped[int | None] = mapped_column(BigInteger)  # bytes; None until the server has said it
    received: Mapped[int] = mapped_column(BigInteger, default=0)  # as far as it ever came
    validator: Mapped[str | None] = mapped_column(String(202))  # ETag or date: the rest is asked for with it

    state: Mapped[str] = mapped_column(String(16), default=ImportState.WAITING)
    reason: Mapped[str | None] = mapped_column(String(64))  # a key of texts.REASONS, of the last try too
    detail: Mapped[str | None] = mapped_column(String(200))
    tries: Mapped[int] = mapped_column(default=0)  # without progress
    fence: Mapped[int] = mapped_column(default=0)  # grows with each claim
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime, default=clock.now)
    clip_id: Mapped[int | None] = mapped_column(ForeignKey("clips.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    __table_args__ = (
        Index("ix_clip_imports_user", "user_id", "id"),
        Index("ix_clip_imports_wake", "wake_at", **where("wake_at IS NOT NULL")),
    )
