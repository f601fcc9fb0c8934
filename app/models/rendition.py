from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.media import containers
from app.models.types import JSON, Id, String, UTCDateTime, where


class RenditionState(StrEnum):
    WAITING = "waiting"  # for a worker, or under way at one
    READY = "ready"
    FAILED = "failed"


class Rendition(db.Model):
    """A file made of a clip by a recipe: once, for all publications that need it. It goes with its clip.

    Like a clip it has a storage key, a size, a hash and facts, so that either can be sent.
    """

    __tablename__ = "renditions"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    clip_id: Mapped[int] = mapped_column(ForeignKey("clips.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    recipe_key: Mapped[str] = mapped_column(String(64))
    recipe: Mapped[dict] = mapped_column(JSON)
    is_lossless: Mapped[bool]

    state: Mapped[str] = mapped_column(String(16), default=RenditionState.WAITING)
    reason: Mapped[str | None] = mapped_column(String(64))  # of the failure, or of the pause
    progress: Mapped[int] = mapped_column(default=0)  # percent
    # When the first publication that needs it falls due: what is wanted sooner is made first.
    wanted_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime, default=clock.now)
    tries: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    claimed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    storage_key: Mapped[str | None] = mapped_column(String(64))  # of each try another
    size: Mapped[int | None] = mapped_column(Id)
    sha256: Mapped[str | None] = mapped_column(String(64))
    facts: Mapped[dict | None] = mapped_column(JSON)  # `media.probe.Facts`, without the poster
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    def __getattr__(self, name: str) -> Any:
        """The facts by their names, as a clip has them."""
        facts = self.__dict__.get("facts")
        if name.startswith("_") or not facts or name not in facts:
            raise AttributeError(name)
        return facts[name]

    @property
    def extension(self) -> str:
        return containers.suffix(self.content_type)

    __table_args__ = (
        UniqueConstraint("clip_id", "recipe_key"),
        Index("ix_renditions_wake", "wake_at", **where("wake_at IS NOT NULL")),
    )
