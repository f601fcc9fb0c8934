from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import JSON, Id, String, Text, UTCDateTime


class IncomingHook(db.Model):
    """An address at which other programs announce clips that are to be fetched."""

    __tablename__ = "incoming_hooks"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(40))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    key_hint: Mapped[str] = mapped_column(String(8))  # the key's last characters
    # Where in the body each field is: "data.file.url".
    mapping: Mapped[dict] = mapped_column(JSON)
    # Encrypted with a key derived from SECRET_KEY: the web verifies signatures and cannot open the vault.
    encrypted_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)


class HookDelivery(db.Model):
    """What came to an incoming webhook, and what became of it: the last few, for its user to see."""

    __tablename__ = "hook_deliveries"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    hook_id: Mapped[int] = mapped_column(ForeignKey("incoming_hooks.id", ondelete="CASCADE"), index=True)
    status: Mapped[int]  # of the answer
    code: Mapped[str | None] = mapped_column(String(64))  # of the refusal
    detail: Mapped[str] = mapped_column(String(400), default="")  # its sentence
    body: Mapped[str] = mapped_column(Text, default="")  # its beginning, without keys
    import_id: Mapped[int | None] = mapped_column(ForeignKey("clip_imports.id", ondelete="SET NULL"), index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
