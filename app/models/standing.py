"""What the statistics keep ready, so that a page need not add up a million rows. Made of `Publication` and
`StatsSample` by `app.statistics.tally`, and can be made again at any time: docs/decisions/0008.
"""

from sqlalchemy import ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import db
from app.models.clip import Clip
from app.models.types import Id, String

PERIODS = (7, 30, 90)  # days

_ROLLS_SQL = text("rolls_on IS NOT NULL")
_NOBODYS_SQL = text("clip_id IS NULL AND title IS NULL")


class Uncounted(db.Model):
    """A published one that is not, or not as it is now, in the rows below. The database itself writes these rows
    (migration 0006): with a publication, with a new sample, when its clip goes, whoever does that.
    """

    __tablename__ = "uncounted"

    publication_id: Mapped[int] = mapped_column(
        ForeignKey("publications.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    user_id: Mapped[int] = mapped_column(Id)

    __table_args__ = (Index("ix_uncounted_user", "user_id", "publication_id"),)


class Tally(db.Model):
    """Whose statistics are kept ready. Its row is locked while they are changed: one at a time for each user."""

    __tablename__ = "tallies"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    zone: Mapped[str] = mapped_column(String(64))  # whose days are counted
    total_id: Mapped[int] = mapped_column(Id)  # the Standing of all clips together


class Standing(db.Model):
    """A clip, or what has the same title and no clip any more, or all of a user together: then neither is set.

    Its place in the list is by the views gained in a period, then by all views, then by the newest publication.
    """

    __tablename__ = "standings"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    clip_id: Mapped[int | None] = mapped_column(ForeignKey("clips.id", ondelete="SET NULL"))
    title: Mapped[str | None] = mapped_column(String(200))  # of deleted clips only
    newest: Mapped[int] = mapped_column(Id, default=0)  # a publication's id
    views: Mapped[int] = mapped_column(Id, default=0)
    views_7: Mapped[int] = mapped_column(Id, default=0)
    views_30: Mapped[int] = mapped_column(Id, default=0)
    views_90: Mapped[int] = mapped_column(Id, default=0)
    # The day on which one of these falls because a day leaves its period; None: nothing to lose.
    rolls_on: Mapped[int | None] = mapped_column(Integer)

    clip: Mapped[Clip | None] = relationship()

    __table_args__ = (
        UniqueConstraint("clip_id"),
        UniqueConstraint("user_id", "title"),
        *(
            Index(f"ix_standings_{days}", "user_id", f"views_{days}", "views", "newest", "id") for days in PERIODS
        ),  # the list of each period, read from its end
        Index("ix_standings_rolls", "user_id", "rolls_on", sqlite_where=_ROLLS_SQL, postgresql_where=_ROLLS_SQL),
        Index(
            "ix_standings_nobodys",
            *("user_id", "clip_id", "title"),  # all three: SQLite takes the index with the most columns it can use
            sqlite_where=_NOBODYS_SQL,
            postgresql_where=_NOBODYS_SQL,
        ),
    )


class StandingPlatform(db.Model):
    """How many publications there are on a platform, and of how many of them each count is known."""

    __tablename__ = "standing_platforms"

    standing_id: Mapped[int] = mapped_column(ForeignKey("standings.id", ondelete="CASCADE"), primary_key=True)
    platform: Mapped[str] = mapped_column(String(16), primary_key=True)
    publications: Mapped[int]
    with_views: Mapped[int]
    with_likes: Mapped[int]
    with_shares: Mapped[int]
    views: Mapped[int] = mapped_column(Id)  # of all time
    newest: Mapped[int] = mapped_column(Id, default=0)  # a publication's id; not of the total


class StandingDay(db.Model):
    """What was gained on a platform on one day of the user's zone. A day without gains has no row."""

    __tablename__ = "standing_days"

    standing_id: Mapped[int] = mapped_column(ForeignKey("standings.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # date.toordinal()
    platform: Mapped[str] = mapped_column(String(16), primary_key=True)
    views: Mapped[int] = mapped_column(Id)
    likes: Mapped[int] = mapped_column(Id)
    shares: Mapped[int] = mapped_column(Id)
