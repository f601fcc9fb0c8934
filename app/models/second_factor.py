"""What a user proves besides the password: the secret of a code application, and recovery codes."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import Id, String, UTCDateTime


class TotpSecret(db.Model):
    """A code application (RFC 6238). It counts once `confirmed_at` is set, by a first code."""

    __tablename__ = "totp_secrets"

    user_id: Mapped[int] = mapped_column(
        Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    encrypted: Mapped[bytes] = mapped_column(LargeBinary)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The time step of the last accepted code: neither it nor an earlier one is accepted again.
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class RecoveryCode(db.Model):
    """A code that is used once in place of the application; the row is deleted with its use."""

    __tablename__ = "recovery_codes"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64))


class SecondFactorFailures(db.Model):
    """Wrong codes and passkeys of a user until `end_at`; in the database, so that they count without Redis too."""

    __tablename__ = "second_factor_failures"

    user_id: Mapped[int] = mapped_column(
        Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    count: Mapped[int] = mapped_column(default=0)
    end_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
