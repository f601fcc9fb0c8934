from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, UTCDateTime


class UserSession(db.Model):
    """A signed-in browser. Deleting the row ends it, whatever copies of its cookie there are."""

    __tablename__ = "user_sessions"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # the token itself is in the cookie only
    known_browser_id: Mapped[int | None] = mapped_column(
        ForeignKey("known_browsers.id", ondelete="SET NULL"), index=True
    )
    user_agent: Mapped[str] = mapped_column(String(300), default="")
    address: Mapped[str] = mapped_column(String(45), default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)
    confirmed_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)  # the password was last given


class KnownBrowser(db.Model):
    """A browser in which its user has signed in before, by a cookie that outlives the session. It opens nothing: it has
    a budget of sign-ins of its own, and its sign-ins are no news.
    """

    __tablename__ = "known_browsers"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[str] = mapped_column(String(64), index=True)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)  # its last sign-in

    __table_args__ = (UniqueConstraint("user_id", "token_hash"),)
