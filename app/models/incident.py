from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import JSON, Id, String, Text, UTCDateTime, where


class Incident(db.Model):
    """A platform that fails for one account after the other. Publishing there pauses while it is open.

    The row begins with the first failure. It is open once enough came in a row: `publishing.incidents`. What was never
    open is deleted by the next success.
    """

    __tablename__ = "incidents"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    platform: Mapped[str] = mapped_column(String(16))
    failures: Mapped[list] = mapped_column(JSON, default=list)  # before it opened; see publishing.incidents
    detail: Mapped[str | None] = mapped_column(Text)  # what the platform said last, without secrets
    began_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    opened_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # One publication at a time tries again; `tried` are the ids of all that did.
    trial_publication_id: Mapped[int | None] = mapped_column(Id)
    trial_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    next_trial_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    failed_trials: Mapped[int] = mapped_column(default=0)
    tried: Mapped[list] = mapped_column(JSON, default=list)
    told: Mapped[list] = mapped_column(JSON, default=list)  # ids of the users who know of it

    __table_args__ = (Index("uq_incidents_current", "platform", unique=True, **where("closed_at IS NULL")),)
