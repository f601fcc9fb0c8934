from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, UTCDateTime


class PublicationStep(db.Model):
    """A durable step's answer, sealed: it may hold upload URLs. Erased when the publication settles."""

    __tablename__ = "publication_steps"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    sealed_answer: Mapped[bytes] = mapped_column(LargeBinary)
    finished_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    __table_args__ = (UniqueConstraint("publication_id", "name"),)

    @property
    def sealed_for(self) -> str:
        """What the vault binds this row's answer to."""
        return step_sealed_for(self.publication_id, self.name)


def step_sealed_for(publication_id: int, name: str) -> str:
    return f"step:{publication_id}:{name}"
