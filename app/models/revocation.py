from datetime import datetime, timedelta

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, UTCDateTime

# A quarter of an hour is promised; the periodic task that deletes rows needs some of it.
REVOCATION_KEPT = timedelta(minutes=14)


class Revocation(db.Model):
    """The token of a deleted connection, until it is revoked at its platform: at most a quarter of an hour."""

    __tablename__ = "revocations"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    platform: Mapped[str] = mapped_column(String(16))
    sealed_token: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_for: Mapped[str] = mapped_column(String(64))
    wake_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, default=lambda: clock.now() + REVOCATION_KEPT)
