from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, UTCDateTime


class AuditEvent(db.Model):
    """A line of «Безопасность». Without a user: a sign-in with an unknown e-mail, which is not kept."""

    __tablename__ = "audit_events"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)
    kind: Mapped[str] = mapped_column(String(32))  # a key of texts.SECURITY
    detail: Mapped[str] = mapped_column(String(300), default="")
    address: Mapped[str | None] = mapped_column(String(45))  # None: the operator, by a command

    __table_args__ = (Index("ix_audit_events_user_newest", "user_id", "id"),)
