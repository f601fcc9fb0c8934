"""Keys of the HTTP API, and what requests with an Idempotency-Key were answered."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import JSON, Id, String, Text, UTCDateTime


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"  # and read


class ApiKey(db.Model):
    """A revoked key stays for its user to see; it opens nothing."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)  # the key itself is shown once
    hint: Mapped[str] = mapped_column(String(16))  # how it begins, for its user to know it by
    scope: Mapped[str] = mapped_column(String(8))
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # When the use of a key that has ended was last written to «Безопасность».
    refused_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    @property
    def scopes(self) -> list[str]:
        return [Scope.READ, Scope.WRITE] if self.scope == Scope.WRITE else [Scope.READ]


class IdempotentRequest(db.Model):
    """The answer to a request, written in the transaction of its change. Without `http_status` it is under way:
    an upload's bytes come between two transactions.
    """

    __tablename__ = "idempotent_requests"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    upload_id: Mapped[str | None] = mapped_column(String(43))
    http_status: Mapped[int | None]
    headers: Mapped[dict] = mapped_column(JSON, default=dict)
    body: Mapped[str] = mapped_column(Text, default="")  # encrypted by `services.idempotency`
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)

    __table_args__ = (UniqueConstraint("user_id", "key"),)
