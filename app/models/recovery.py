from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, UTCDateTime


class Recovery(db.Model):
    """A letter with a link for a new password, until it has been sent. Without a user for an unknown e-mail, which
    must be as much work.
    """

    __tablename__ = "recoveries"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    tries: Mapped[int] = mapped_column(default=0)
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime, default=clock.now, index=True)  # None: being sent
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
