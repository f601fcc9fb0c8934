from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, false
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.soft_deletion import SoftDeleted
from app.models.types import JSON, Id, String, Text, UTCDateTime, where

# A quarter of an hour is promised; the periodic task that deletes rows needs some of it.
REVOCATION_KEPT = timedelta(minutes=14)


class ConnectionStatus(StrEnum):
    ACTIVE = "active"
    RECONNECT = "reconnect"  # its user must connect it again
    CHOOSING = "choosing"  # the token leads to several accounts, of which the user has to choose one


class PlatformConnection(SoftDeleted, db.Model):
    __tablename__ = "platform_connections"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    platform: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[str] = mapped_column(String(64))
    account_name: Mapped[str] = mapped_column(String(255))
    account_url: Mapped[str | None] = mapped_column(Text)
    avatar_url: Mapped[str | None] = mapped_column(Text)
    # What the adapter needs of the account; not secret (a channel's @name, a device id).
    facts: Mapped[dict] = mapped_column(JSON, default=dict)
    choices: Mapped[list | None] = mapped_column(JSON)  # the accounts to choose from, while it is CHOOSING
    status: Mapped[str] = mapped_column(String(16), default=ConnectionStatus.ACTIVE)
    reason: Mapped[str | None] = mapped_column(String(64))
    sealed_token: Mapped[bytes | None] = mapped_column(LargeBinary)
    token_expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Well before it expires.
    token_refresh_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # One worker refreshes at a time: a lease on this row, not a lock in Redis.
    refresh_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # What the platform has said of its options last: AccountOptions, as JSON.
    asked_options: Mapped[dict | None] = mapped_column(JSON)
    options_asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Not ticked when its user last published: the next time it is not ticked either.
    left_out: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    __table_args__ = (
        Index(
            "uq_platform_connections_account",
            *("user_id", "platform", "account_id"),
            unique=True,
            **where("deleted_at IS NULL"),
        ),
        Index("ix_platform_connections_refresh", "token_refresh_at", **where("token_refresh_at IS NOT NULL")),
    )

    @property
    def sealed_for(self) -> str:
        """What the vault binds this row's token to."""
        return f"connection:{self.id}"


class OAuthState(db.Model):
    """A consent under way. Deleted when its callback uses it, or when it expires."""

    __tablename__ = "oauth_states"

    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    platform: Mapped[str] = mapped_column(String(16))
    browser_hash: Mapped[str] = mapped_column(String(64))  # of the session that began it
    sealed: Mapped[bytes] = mapped_column(LargeBinary)  # PKCE verifier and redirect address
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)

    @property
    def sealed_for(self) -> str:
        """What the vault binds this row's verifier to."""
        return f"consent:{self.state_hash}"


class Revocation(db.Model):
    """The token of a deleted connection, until it is revoked at its platform: at most a quarter of an hour."""

    __tablename__ = "revocations"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    platform: Mapped[str] = mapped_column(String(16))
    sealed_token: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_for: Mapped[str] = mapped_column(String(64))
    wake_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, default=lambda: clock.now() + REVOCATION_KEPT)
