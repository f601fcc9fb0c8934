import hmac

from app.extensions import db
from app.models.clip import Clip, ClipStatus, Upload
from app.models.connection import ConnectionStatus, PlatformConnection, Revocation
from app.models.notice import Notice
from app.models.publication import (
    LIVE,
    Publication,
    PublicationEvent,
    PublicationStep,
    Stage,
    StatsSample,
    Status,
    fold,
)
from app.models.user import User


def load_user(session_id: str) -> User | None:
    """The user of a session, or None once the session's key has been replaced."""
    user_id, _, session_key = session_id.partition(".")
    if not user_id.isdigit():
        return None
    user = db.session.get(User, int(user_id))
    return user if user and hmac.compare_digest(user.session_key, session_key) else None


__all__ = [
    "LIVE",
    "Clip",
    "ClipStatus",
    "ConnectionStatus",
    "Notice",
    "PlatformConnection",
    "Publication",
    "PublicationEvent",
    "PublicationStep",
    "Revocation",
    "Stage",
    "StatsSample",
    "Status",
    "Upload",
    "User",
    "fold",
    "load_user",
]
