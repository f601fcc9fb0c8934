from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, UTCDateTime


class Erasure(db.Model):
    """A file in the storage that nothing refers to any more. The row is deleted once the file is."""

    __tablename__ = "erasures"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), index=True)
    wake_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)
