"""Reminders of scheduled publications whose account has to be connected again: 24 hours and 1 hour before."""

from collections import defaultdict
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Row, Select, select

from app import clock, platforms
from app.db import db, reading, transaction
from app.models import ConnectionStatus, Notification, PlatformConnection, Publication, Status
from app.notifications.create import add_new

log = structlog.get_logger(__name__)


def notify_upcoming() -> None:
    now = clock.now()
    upcoming: dict[int, list[Notification]] = defaultdict(list)
    with reading():
        for row in db.session.execute(_without_access(now, now + timedelta(hours=24))):
            hours = 1 if row.due_at <= now + timedelta(hours=1) else 24
            upcoming[row.user_id].append(_of(row, hours))
    for user_id, notifications in upcoming.items():
        try:
            with transaction():
                add_new(notifications)
        except Exception:
            # A failure for one user must not keep the others from being reminded.
            log.exception("a reminder failed", user=user_id)


def _without_access(after: datetime, until: datetime) -> Select[tuple]:
    names = ("id", "user_id", "platform", "account_name", "title", "due_at")
    # Not joined: SQLite would look up the connection of each publication there is.
    waiting = select(PlatformConnection.id).where(PlatformConnection.status == ConnectionStatus.RECONNECT)
    return select(*(getattr(Publication, name) for name in names)).where(
        Publication.connection_id.in_(waiting),
        Publication.status == Status.SCHEDULED,
        Publication.wake_at.is_not(None),  # what is paused does not go out then
        Publication.due_at > after,
        Publication.due_at <= until,
    )


def _of(publication: Row, hours: int) -> Notification:
    """A publication that is moved to another time is reminded of again."""
    return Notification(
        user_id=publication.user_id,
        kind="ahead",
        dedup_key=f"publication:{publication.id}:ahead:{hours}:{publication.due_at:%Y%m%d%H%M%S}",
        facts={
            "platform": platforms.ADAPTERS[publication.platform].name,
            "account": publication.account_name,
            "title": publication.title,
            "due_at": publication.due_at.isoformat(),
        },
        publication_id=publication.id,
    )
