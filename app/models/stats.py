from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, UTCDateTime, where


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


class DailyIncrement(db.Model):
    """What the counts gained in one day of the user's zone. A day without gains has no row: docs/decisions/0015.

    Each gain is in two rows: of a clip (of a title, once the clip is deleted), and of a platform, which is the total.
    """

    __tablename__ = "daily_increments"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    day: Mapped[date] = mapped_column(Date)
    # Exactly one of these is set.
    clip_id: Mapped[int | None] = mapped_column(ForeignKey("clips.id", ondelete="CASCADE"))
    title: Mapped[str | None] = mapped_column(String(200))
    platform: Mapped[str | None] = mapped_column(String(16))
    views: Mapped[int] = mapped_column(Id, default=0)
    likes: Mapped[int] = mapped_column(Id, default=0)
    shares: Mapped[int] = mapped_column(Id, default=0)

    __table_args__ = (
        *(
            Index(f"uq_daily_increments_{one}", "user_id", one, "day", unique=True, **where(f"{one} IS NOT NULL"))
            for one in ("clip_id", "title", "platform")
        ),
        # The views of all clips in a period, without the rows.
        Index("ix_daily_increments_clips", "user_id", "day", "clip_id", "title", "views", **where("platform IS NULL")),
    )
