"""Figures of the whole installation, for «Управление» and /metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import case, distinct, func, select

from app import clock, platforms, queue
from app.db import db
from app.models import (
    Clip,
    ConnectionStatus,
    PlatformConnection,
    Publication,
    PublicationEvent,
    Rendition,
    Status,
    Upload,
)
from app.observability import refusals
from app.publishing.lease import CLAIMABLE
from app.services import heartbeats, incidents

WINDOW = timedelta(hours=24)
SOON = timedelta(days=3)
MOST_STARTS = 5000
MOST_WAITING = 10


@dataclass(frozen=True)
class Outcomes:
    """One platform's publications that ended in the last WINDOW, and its connections."""

    platform: str
    published: int
    first_try: int  # of those published: without a retry
    failed: int
    connections: int
    reconnect: int  # connections that wait for their user
    expiring: int  # with a token that has expired or will within SOON; most are refreshed when they are used

    @property
    def success(self) -> float | None:
        """Published of all that ended, 0 to 1; None where nothing did."""
        ended = self.published + self.failed
        return self.published / ended if ended else None


@dataclass(frozen=True)
class Lateness:
    """How late scheduled publications started in the last WINDOW, in seconds; None where none did."""

    usual: float | None
    worst: float | None


@dataclass(frozen=True)
class Figures:
    publications: dict[str, int]  # by status
    due: int  # rows that wait for a worker
    oldest_due: float  # for how many seconds the oldest of them has waited
    lateness: Lateness
    outcomes: list[Outcomes]
    workers: dict[str, int]  # living processes by kind
    queues: dict[str, int] | None  # wake-ups by queue; None where Redis is away
    refusals: dict[str, int] | None  # by kind; None where Redis is away
    clips: int
    clip_bytes: int  # with what is made of them
    uploads: int  # under way
    incidents: dict[str, int]  # by platform: 1 where one is open


def figures() -> Figures:
    now = clock.now()
    due, oldest = db.session.execute(select(func.count(), func.min(Publication.wake_at)).where(*_waiting(now))).one()
    by_status = dict(db.session.execute(select(Publication.status, func.count()).group_by(Publication.status)).all())
    made = select(func.coalesce(func.sum(Rendition.size), 0)).scalar_subquery()
    clips, clip_bytes = db.session.execute(select(func.count(), func.coalesce(func.sum(Clip.size), 0) + made)).one()
    return Figures(
        publications={status.value: by_status.get(status, 0) for status in Status},
        due=due,
        oldest_due=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        lateness=_lateness(now),
        outcomes=_outcomes(now),
        workers=heartbeats.count(),
        queues=queue.lengths(),
        refusals=refusals.totals(),
        clips=clips,
        clip_bytes=clip_bytes,
        uploads=db.session.scalar(select(func.count()).select_from(Upload).where(Upload.clip_id.is_(None))),
        incidents=incidents.open_by_platform(),
    )


def waiting() -> Sequence[Publication]:
    """The publications that have waited longest for a worker."""
    return db.session.scalars(
        select(Publication).where(*_waiting(clock.now())).order_by(Publication.wake_at).limit(MOST_WAITING)
    ).all()


def _waiting(now: datetime) -> tuple:
    """Due and without a lease: a worker that holds a row has put its lease's end into wake_at."""
    return (Publication.wake_at <= now, Publication.status.in_(CLAIMABLE))


def _lateness(now: datetime) -> Lateness:
    """Of the last starts. Subtracted here, since SQLite and PostgreSQL subtract times differently."""
    starts = db.session.execute(
        select(PublicationEvent.at, Publication.due_at)
        .join(Publication, Publication.id == PublicationEvent.publication_id)
        .where(PublicationEvent.at > now - WINDOW, PublicationEvent.kind == "started")
        .order_by(PublicationEvent.at.desc())
        .limit(MOST_STARTS)
    )
    late = [max(0.0, (start.at - start.due_at).total_seconds()) for start in starts]
    return Lateness(median(late), max(late)) if late else Lateness(None, None)


def _outcomes(now: datetime) -> list[Outcomes]:
    ended, connected = _ended(now), _connected(now)
    return [Outcomes(key, *ended.get(key, (0, 0, 0)), *connected.get(key, (0, 0, 0))) for key in platforms.ADAPTERS]


def _ended(now: datetime) -> dict[str, Sequence[int]]:
    """By platform: how many were published in the WINDOW, how many of them without a retry, and how many failed."""
    published = Publication.status == Status.PUBLISHED
    kinds = published, published & (Publication.attempt + Publication.crashes == 0), ~published
    rows = db.session.execute(
        select(Publication.platform, *(func.count(distinct(case((kind, Publication.id)))) for kind in kinds))
        .join(PublicationEvent, PublicationEvent.publication_id == Publication.id)
        .where(
            PublicationEvent.at > now - WINDOW,
            PublicationEvent.status == Publication.status,
            Publication.status.in_((Status.PUBLISHED, Status.FAILED)),
        )
        .group_by(Publication.platform)
    )
    return {platform: counts for platform, *counts in rows}


def _connected(now: datetime) -> dict[str, Sequence[int]]:
    """By platform: all connections, those that wait for their user, those with a token that expires soon."""
    waits = PlatformConnection.status == ConnectionStatus.RECONNECT
    ends = ~waits & (PlatformConnection.token_expires_at < now + SOON)
    counts = func.count(), func.count(case((waits, 1))), func.count(case((ends, 1)))
    rows = db.session.execute(select(PlatformConnection.platform, *counts).group_by(PlatformConnection.platform))
    return {platform: numbers for platform, *numbers in rows}
