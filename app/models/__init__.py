import hmac

from app.db import db
from app.models import triggers
from app.models.audit_event import AuditEvent
from app.models.clip import Clip, ClipStatus
from app.models.connection import ConnectionStatus, PlatformConnection
from app.models.erasure import Erasure
from app.models.event import Event, record_event
from app.models.event_cursor import EventCursor
from app.models.heartbeat import Heartbeat
from app.models.notification import Notification
from app.models.oauth_state import OAuthState
from app.models.publication import (
    LIVE,
    LIVE_SQL,
    UNDER_WAY_SQL,
    Publication,
    Stage,
    Status,
    fold,
    touch,
)
from app.models.publication_event import PublicationEvent
from app.models.publication_step import PublicationStep, step_sealed_for
from app.models.recovery import Recovery
from app.models.revocation import REVOCATION_KEPT, Revocation
from app.models.standing import PERIODS, Standing, StandingDay, StandingPlatform, Tally, Uncounted
from app.models.stats import StatsSample
from app.models.upload import Upload
from app.models.user import User

triggers.add_to(db.metadata)


def load_user(session_id: str) -> User | None:
    """The user of a session, or None once the session's key has been replaced."""
    user_id, _, session_key = session_id.partition(".")
    if not user_id.isdigit():
        return None
    user = db.session.get(User, int(user_id))
    return user if user and hmac.compare_digest(user.session_key, session_key) else None


__all__ = [
    "LIVE",
    "LIVE_SQL",
    "PERIODS",
    "REVOCATION_KEPT",
    "UNDER_WAY_SQL",
    "AuditEvent",
    "Clip",
    "ClipStatus",
    "ConnectionStatus",
    "Erasure",
    "Event",
    "EventCursor",
    "Heartbeat",
    "Notification",
    "OAuthState",
    "PlatformConnection",
    "Publication",
    "PublicationEvent",
    "PublicationStep",
    "Recovery",
    "Revocation",
    "Stage",
    "Standing",
    "StandingDay",
    "StandingPlatform",
    "StatsSample",
    "Status",
    "Tally",
    "Uncounted",
    "Upload",
    "User",
    "fold",
    "load_user",
    "record_event",
    "step_sealed_for",
    "touch",
]
