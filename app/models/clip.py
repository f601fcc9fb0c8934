from datetime import datetime
from enum import StrEnum

from sqlalchemy import Float, ForeignKey, Index, false
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from app import clock
from app.db import db
from app.media import containers
from app.models.soft_deletion import SoftDeleted
from app.models.types import Id, String, Text, UTCDateTime, fold, where
from app.models.user import User

# Grows when the probe learns to take a fact that something cannot do without.
FACTS_VERSION = 1


class ClipStatus(StrEnum):
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class Source(StrEnum):
    """Where a clip came from."""

    UPLOAD = "upload"  # the browser
    API = "api"
    IMPORT = "import"  # from an address
    HOOK = "hook"  # an incoming webhook
    INBOX = "inbox"  # a watched folder or bucket


def _search_text(context) -> str:
    return fold(context.get_current_parameters()["title"])


class Clip(SoftDeleted, db.Model):
    __tablename__ = "clips"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    file_name: Mapped[str] = mapped_column(String(255))  # as the user called it; shown, never used as a path
    status: Mapped[str] = mapped_column(String(16), default=ClipStatus.PROCESSING)
    reason: Mapped[str | None] = mapped_column(String(64))

    storage_key: Mapped[str] = mapped_column(String(64))
    poster_key: Mapped[str | None] = mapped_column(String(64))
    # What the poster is that its user has chosen: "moment" (then `cover_ms`) or "picture"; None where we chose.
    cover: Mapped[str | None] = mapped_column(String(16))
    cover_ms: Mapped[int | None]
    # Since when a choice is being carried out: what is published meanwhile waits for it a little.
    cover_wanted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    size: Mapped[int] = mapped_column(Id)  # bytes
    sha256: Mapped[str | None] = mapped_column(String(64))
    fingerprint: Mapped[str | None] = mapped_column(String(64))  # see `upload_files.fingerprint`
    content_type: Mapped[str | None] = mapped_column(String(64))
    container: Mapped[str | None] = mapped_column(String(64))
    video_codec: Mapped[str | None] = mapped_column(String(32))
    audio_codec: Mapped[str | None] = mapped_column(String(32))
    duration_ms: Mapped[int | None]
    width: Mapped[int | None]  # as shown, rotation applied
    height: Mapped[int | None]
    rotation: Mapped[int | None]  # degrees, 0, 90, 180 or 270
    # What a rendition is planned by: see `media.probe.Facts`. None where it is unknown.
    frame_rate: Mapped[float | None] = mapped_column(Float)
    is_variable_rate: Mapped[bool | None]
    bit_depth: Mapped[int | None]
    pixel_format: Mapped[str | None] = mapped_column(String(32))
    transfer: Mapped[str | None] = mapped_column(String(32))
    primaries: Mapped[str | None] = mapped_column(String(32))
    sample_rate: Mapped[int | None]
    video_duration_ms: Mapped[int | None]
    audio_duration_ms: Mapped[int | None]
    moov_in_front: Mapped[bool | None]
    is_fragmented: Mapped[bool | None]
    keyframe_ms: Mapped[int | None]
    audio_tracks: Mapped[int | None]
    video_bit_rate: Mapped[int | None] = mapped_column(Id)
    # Which facts its probe took: 0 for clips of before renditions, which are probed again when these are needed.
    facts_version: Mapped[int] = mapped_column(default=FACTS_VERSION, server_default="0")

    # When the probe is due; its job may get lost, this does not.
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    probes: Mapped[int] = mapped_column(default=0)
    # Grows with every change of the clip or of one of its publications: what a page's poll compares.
    version: Mapped[int] = mapped_column(default=1)
    publish_when_ready: Mapped[bool] = mapped_column(default=False, server_default=false())
    source: Mapped[str] = mapped_column(String(16), default=Source.UPLOAD, server_default=Source.UPLOAD)
    # The user's name for it: of the API key, the incoming webhook; the host of the address, the inbox's folder.
    source_name: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    # The title, folded: SQLite's own lower() does not know Cyrillic. Processes of before 0.5 write rows without it.
    search_text: Mapped[str] = mapped_column(Text, default=_search_text, server_default="")

    user: Mapped[User] = relationship()

    @validates("title")
    def _fold_title(self, _key: str, title: str) -> str:
        self.search_text = fold(title)
        return title

    @property
    def extension(self) -> str:
        """The suffix of the name under which the file is sent: that of its probed type, not of the uploaded name."""
        return containers.suffix(self.content_type)

    __table_args__ = (
        # Newest first, or by title; both can be searched without the rows, also for what is not deleted.
        Index("ix_clips_user_newest", "user_id", "id", "search_text", "deleted_at"),
        Index("ix_clips_user_title", "user_id", "search_text", "id", "deleted_at"),
        Index("ix_clips_fingerprint", "user_id", "fingerprint", **where("fingerprint IS NOT NULL")),
        Index("ix_clips_wake", "wake_at", **where("wake_at IS NOT NULL")),
    )


class Upload(db.Model):
    """A resumable upload (tus). The bytes are in a file of their own; the row has the promised length."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(43), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    file_name: Mapped[str] = mapped_column(String(255))
    length: Mapped[int] = mapped_column(Id)
    clip_id: Mapped[int | None] = mapped_column(ForeignKey("clips.id", ondelete="CASCADE"))
    fingerprint: Mapped[str | None] = mapped_column(String(64))  # of the file as the browser read it at the beginning
    publish_when_ready: Mapped[bool] = mapped_column(default=False, server_default=false())
    source: Mapped[str] = mapped_column(String(16), default=Source.UPLOAD, server_default=Source.UPLOAD)
    source_name: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class Erasure(db.Model):
    """A file in the storage that nothing refers to any more. The row is deleted once the file is."""

    __tablename__ = "erasures"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), index=True)
    wake_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)
