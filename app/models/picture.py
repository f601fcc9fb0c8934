from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app import clock
from app.db import db
from app.models.clip import Clip
from app.models.types import JSON, Id, String, UTCDateTime, where
from app.storage import key_from


class PictureKind(StrEnum):
    STRIP = "strip"  # frames of the clip, to choose from
    COVER = "cover"  # the poster that its user has chosen


class PictureState(StrEnum):
    WAITING = "waiting"  # for a worker, or under way at one
    READY = "ready"
    FAILED = "failed"


class ClipPicture(db.Model):
    """A picture that a worker makes of a clip, one of each kind. It goes with its clip.

    A cover is of a moment (`at_ms`), or of a picture that its user sent (`source_key`, until it is made).
    """

    __tablename__ = "clip_pictures"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    clip_id: Mapped[int] = mapped_column(ForeignKey("clips.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), default=PictureState.WAITING)
    reason: Mapped[str | None] = mapped_column(String(64))
    at_ms: Mapped[int | None]
    source_key: Mapped[str | None] = mapped_column(String(64))
    storage_key: Mapped[str | None] = mapped_column(String(64))
    frames: Mapped[list | None] = mapped_column(JSON)  # of a strip: when each is shown, in milliseconds
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime, default=clock.now)
    tries: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    claimed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    wanted_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    __table_args__ = (
        UniqueConstraint("clip_id", "kind"),
        Index("ix_clip_pictures_wake", "wake_at", **where("wake_at IS NOT NULL")),
    )


# The choice of a cover, whatever has become of it; for pages of one clip.
Clip.chosen_cover = relationship(
    ClipPicture,
    primaryjoin=(ClipPicture.clip_id == Clip.id) & (ClipPicture.kind == PictureKind.COVER),
    uselist=False,
    viewonly=True,
)


def thumbnail_key(poster_key: str) -> str:
    """Of the small picture that is stored with a poster."""
    return key_from(f"thumbnail of {poster_key}")


def cover_key(poster_key: str) -> str:
    """Of the large picture that is stored with a poster that its user has chosen."""
    return key_from(f"cover of {poster_key}")


def files_of(poster_key: str) -> list[str]:
    return [poster_key, thumbnail_key(poster_key), cover_key(poster_key)]
