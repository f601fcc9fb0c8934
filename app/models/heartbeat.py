from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import String, UTCDateTime


class Heartbeat(db.Model):
    """A background process, written by itself every few seconds.

    In the database: Redis' own list of workers is empty after Redis is wiped, though they work on.
    """

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)  # host:pid
    kind: Mapped[str] = mapped_column(String(16))  # worker, spare, probe, scheduler or ticks
    opens_tokens: Mapped[bool]  # whether it holds the vault's private key
    started_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
