from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db import db
from app.models.types import String, UTCDateTime


class OAuthState(db.Model):
    """A consent under way. Deleted when its callback uses it, or when it expires."""

    __tablename__ = "oauth_states"

    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    platform: Mapped[str] = mapped_column(String(16))
    browser_hash: Mapped[str] = mapped_column(String(64))  # of the session that began it
    encrypted: Mapped[bytes] = mapped_column(LargeBinary)  # PKCE verifier and redirect address
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
