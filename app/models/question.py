from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import JSON, Id, String, UTCDateTime, where

LIFETIME = timedelta(hours=1)


class QuestionState(StrEnum):
    WAITING = "waiting"
    ANSWERED = "answered"
    FAILED = "failed"


class Question(db.Model):
    """What must be asked of a platform while a user has a page open. A worker asks: only workers open tokens."""

    __tablename__ = "questions"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    connection_id: Mapped[int | None] = mapped_column(
        ForeignKey("platform_connections.id", ondelete="CASCADE"), index=True
    )
    platform: Mapped[str | None] = mapped_column(String(16))  # to connect, where there is no connection yet
    kind: Mapped[str] = mapped_column(String(32))  # a key of platform_access.questions.KINDS
    sealed_payload: Mapped[bytes | None] = mapped_column(LargeBinary)  # what to ask with, until it is no longer needed
    typed: Mapped[dict] = mapped_column(JSON, default=dict, server_default="{}")  # a form's fields: never a secret
    address: Mapped[str | None] = mapped_column(String(45))  # the user's, for the audit log
    state: Mapped[str] = mapped_column(String(16), default=QuestionState.WAITING)
    answer: Mapped[Any | None] = mapped_column(JSON)  # pages show it: never a secret
    reason: Mapped[str | None] = mapped_column(String(64))  # of a failure: a key of the reasons' texts
    params: Mapped[dict] = mapped_column(JSON, default=dict)  # fill the reason's text
    # The next try; None once it is answered or failed.
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime, default=clock.now)
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, default=lambda: clock.now() + LIFETIME, index=True)

    __table_args__ = (Index("ix_questions_wake", "wake_at", **where("wake_at IS NOT NULL")),)

    @property
    def sealed_for(self) -> str:
        """What the vault binds this row's payload to."""
        return f"question:{self.id}"
