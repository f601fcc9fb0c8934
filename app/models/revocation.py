from datetime import datetime, timedelta

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, UTCDateTime

# With time to spare for the tick that removes what is over: a quarter of an hour is promised.
REVOCATION_KEPT = timedelta(minutes=14)


class Revocation(db.Model):
    """The token of a connection that is gone, until its platform was told: at most a quarter of an hour."""

    __tablename__ = "revocations"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    platform: Mapped[str] = mapped_column(String(16))
    sealed_token: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_for: Mapped[str] = mapped_column(String(64))
    wake_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, default=lambda: clock.now() + REVOCATION_KEPT)
