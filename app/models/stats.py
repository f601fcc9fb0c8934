from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, UTCDateTime


class StatsSample(db.Model):
    """The counts of a publication at one moment."""

    __tablename__ = "stats_samples"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    views: Mapped[int | None] = mapped_column(Id)
    likes: Mapped[int | None] = mapped_column(Id)
    shares: Mapped[int | None] = mapped_column(Id)

    __table_args__ = (Index("ix_stats_samples_publication", "publication_id", "at"),)
