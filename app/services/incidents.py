"""What people are told of platforms that fail: see `publishing.incidents`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select

from app import clock, platforms
from app.db import db
from app.models import Incident, PlatformConnection, Publication, User
from app.publishing.incidents import HELD, IS_OPEN, missed_by

SHOWN_CLOSED = timedelta(days=7)
MOST_SHOWN = 20
# Where nothing waits any more, nothing tries either: what was found so long ago need not be so today.
_IS_NEWS = timedelta(hours=1)


@dataclass(frozen=True)
class Overview:
    """For «Управление». `waiting`: publications that are held now."""

    platform: str
    opened_at: datetime
    closed_at: datetime | None
    waiting: int
    failed_trials: int
    detail: str | None


def of_user(user: User) -> Sequence[Incident]:
    """Those that are open on platforms where the user has an account."""
    connected = exists().where(PlatformConnection.user_id == user.id, PlatformConnection.platform == Incident.platform)
    now = clock.now()
    return db.session.scalars(
        select(Incident).where(IS_OPEN, Incident.next_trial_at > now - _IS_NEWS, connected).order_by(Incident.platform)
    ).all()


def missed_ids(user: User, incident_id: int, most: int) -> Sequence[int]:
    """The user's publications that an incident which is over has kept from going out, and that are not sent since."""
    incident = db.session.get(Incident, incident_id)
    if incident is None or incident.closed_at is None:
        return []
    theirs = select(Publication.id).where(Publication.user_id == user.id, missed_by(incident))
    return db.session.scalars(theirs.order_by(Publication.due_at, Publication.id).limit(most)).all()


def overviews() -> list[Overview]:
    """Those that are open, then the newest."""
    held = dict(
        db.session.execute(select(Publication.platform, func.count()).where(HELD).group_by(Publication.platform)).all()
    )
    shown = Incident.closed_at.is_(None) | (Incident.closed_at > clock.now() - SHOWN_CLOSED)
    newest = Incident.closed_at.is_not(None), Incident.opened_at.desc()
    rows = db.session.scalars(
        select(Incident).where(Incident.opened_at.is_not(None), shown).order_by(*newest).limit(MOST_SHOWN)
    )
    return [
        Overview(
            one.platform,
            one.opened_at,
            one.closed_at,
            0 if one.closed_at else held.get(one.platform, 0),
            one.failed_trials,
            one.detail,
        )
        for one in rows
    ]


def open_by_platform() -> dict[str, int]:
    """1 where an incident is open, 0 elsewhere."""
    found = set(db.session.scalars(select(Incident.platform).where(IS_OPEN)))
    return {key: int(key in found) for key in platforms.ADAPTERS}
