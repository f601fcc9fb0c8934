from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import JSON, Id, String, UTCDateTime, where


class Notification(db.Model):
    """Something that its user must know, once: shown at the bell, and sent by mail."""

    __tablename__ = "notifications"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))  # a key of texts.NOTIFICATIONS
    dedup_key: Mapped[str] = mapped_column(String(100))  # subject and cause: "publication:7:failed:2"
    facts: Mapped[dict] = mapped_column(JSON, default=dict)  # what the text is filled with
    publication_id: Mapped[int | None] = mapped_column(ForeignKey("publications.id", ondelete="CASCADE"))
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("platform_connections.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    read_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The mail: when it is due or its lease ends, how often it was tried, when it was sent.
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    mailed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        UniqueConstraint("user_id", "dedup_key"),
        Index("ix_notifications_user_newest", "user_id", "id"),
        Index("ix_notifications_unread", "user_id", **where("read_at IS NULL")),
        Index("ix_notifications_wake", "wake_at", **where("wake_at IS NOT NULL")),
    )
