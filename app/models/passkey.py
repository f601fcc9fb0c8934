"""Passkeys (WebAuthn): public keys of users' authenticators, and the challenges that these are to sign."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, UTCDateTime


class Passkey(db.Model):
    __tablename__ = "passkeys"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)  # COSE
    # By which the authenticator knows the user: random, the same for all passkeys of one user.
    user_handle: Mapped[bytes] = mapped_column(LargeBinary)
    # Of the last use: one that is not higher comes from a copy. Stays 0 where a passkey is on several devices.
    sign_count: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class PasskeyChallenge(db.Model):
    """What an authenticator signs: for one purpose, in one browser, once. Deleted with its use."""

    __tablename__ = "passkey_challenges"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    challenge: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    purpose: Mapped[str] = mapped_column(String(16))
    browser_hash: Mapped[str] = mapped_column(String(64))
    # None at a sign-in: the passkey itself says whose it is.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user_handle: Mapped[bytes | None] = mapped_column(LargeBinary)  # of the passkey that is being added
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
