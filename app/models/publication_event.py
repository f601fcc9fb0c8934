from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, Text, UTCDateTime


class PublicationEvent(db.Model):
    """A line of a publication's history, which its user can open."""

    __tablename__ = "publication_events"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)
    kind: Mapped[str] = mapped_column(String(32))  # a key of texts.EVENTS
    status: Mapped[str] = mapped_column(String(16))  # the status after it
    # The step's or commit's name, a reason, or the due time it was given (ISO 8601, UTC).
    name: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str | None] = mapped_column(Text)
