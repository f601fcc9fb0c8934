from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint, bindparam, select, text, update
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app import clock
from app.db import db
from app.models.clip import Clip
from app.models.connection import PlatformConnection
from app.models.slot import Slot  # noqa: F401 - the table that slot_id refers to
from app.models.types import JSON, Id, String, Text, UTCDateTime, fold, where


class Status(StrEnum):
    SCHEDULED = "scheduled"
    PUBLISHING = "publishing"
    AWAITING_USER = "awaiting_user"
    UNCONFIRMED = "unconfirmed"
    PUBLISHED = "published"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Stage(StrEnum):
    """What is going on inside «Публикация...»."""

    QUEUED = "queued"
    STARTING = "starting"
    UPLOADING = "uploading"
    SENT = "sent"  # the platform has everything, its answer is awaited
    PROCESSING = "processing"
    CHECKING = "checking"  # the answer was lost, the platform is asked whether the clip is there
    WAITING = "waiting"  # for the platform's rate limit
    QUOTA = "quota"  # for the day on which the platform takes more of this installation
    INCIDENT = "incident"  # at the platform: whatever is sent, it is refused for hours or days
    STORAGE = "storage"  # for the clip storage, which is away
    OUTAGE = "outage"  # for something else of ours
    RETRY = "retry"


LIVE = (Status.SCHEDULED, Status.PUBLISHING, Status.AWAITING_USER, Status.UNCONFIRMED)
LIVE_SQL = text("status IN ({})".format(", ".join(f"'{status}'" for status in LIVE)))
# All that is awake but what simply waits for its due time.
UNDER_WAY_SQL = text("wake_at IS NOT NULL AND (status <> 'scheduled' OR wake_at <> due_at)")


def _search_text(context) -> str:
    given = context.get_current_parameters()
    return fold(f"{given['title']} {given['account_name']}")


class Publication(db.Model):
    """One clip on one account. This row is the truth; Redis only carries wake-ups for it."""

    __tablename__ = "publications"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    clip_id: Mapped[int | None] = mapped_column(ForeignKey("clips.id", ondelete="SET NULL"))
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("platform_connections.id", ondelete="SET NULL"))
    # The account's name and link stay when the connection is gone.
    platform: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[str] = mapped_column(String(64))
    account_name: Mapped[str] = mapped_column(String(255))
    account_url: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    options: Mapped[dict] = mapped_column(JSON, default=dict, server_default="{}")  # by the adapter's `options`

    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))  # a key of texts.REASONS
    detail: Mapped[str | None] = mapped_column(Text)  # what the platform said, without secrets
    stage: Mapped[str | None] = mapped_column(String(16))
    sent: Mapped[int | None] = mapped_column(Id)  # bytes
    total: Mapped[int | None] = mapped_column(Id)
    ask: Mapped[dict | None] = mapped_column(JSON)  # what «Ждёт вас» shows: text, link

    due_at: Mapped[datetime] = mapped_column(UTCDateTime)
    # Of its set's weekly slots the one in which it waits; None: its time was chosen.
    slot_id: Mapped[int | None] = mapped_column(ForeignKey("slots.id", ondelete="SET NULL"))
    # When a disconnection or a smaller plan has cancelled it while it was scheduled; None once that is settled: it was
    # brought back, or its user does not want it any more.
    withheld_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    queued_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    holder: Mapped[str | None] = mapped_column(String(128))  # host:pid of the work horse that claimed it last
    attempt: Mapped[int] = mapped_column(default=0)  # tries that failed
    limits: Mapped[int] = mapped_column(default=0, server_default="0")  # waits that the platform asked for
    crashes: Mapped[int] = mapped_column(default=0)  # leases that ran out

    # The commit that was begun and not answered yet, and until when its sender may still be sending.
    commit_in_doubt: Mapped[str | None] = mapped_column(String(32))
    in_doubt_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    not_found_count: Mapped[int] = mapped_column(default=0)  # how often the platform said that the clip is not there
    has_receipt: Mapped[bool] = mapped_column(default=False)  # something stands on the platform already

    # Since when something of ours has been away that it needs; None while nothing is.
    outage_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # What a platform has fetched by the newest link: {"link": its nonce, "ranges": [[start, end], …] of bytes}
    fetched: Mapped[dict | None] = mapped_column(JSON)

    external_id: Mapped[str | None] = mapped_column(String(128))
    url: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # Title and account, folded: SQLite's own lower() does not know Cyrillic.
    search_text: Mapped[str] = mapped_column(Text, default=_search_text)

    # The newest counts; None where the platform gives no such number. Their history: StatsSample.
    views: Mapped[int | None] = mapped_column(Id)
    likes: Mapped[int | None] = mapped_column(Id)
    shares: Mapped[int | None] = mapped_column(Id)
    stats_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    stats_due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @property
    def is_paused(self) -> bool:
        """It waits in a slot of a set that is paused: `publishing.pausing`."""
        return self.status == Status.SCHEDULED and self.wake_at is None

    clip: Mapped[Clip | None] = relationship()
    connection: Mapped[PlatformConnection | None] = relationship()

    __table_args__ = (
        # At most one live publication per clip and connection: a double click makes one.
        Index("uq_publications_live", "clip_id", "connection_id", unique=True, **where(LIVE_SQL)),
        Index("ix_publications_wake", "wake_at", **where("wake_at IS NOT NULL")),
        Index("ix_publications_under_way", "status", "wake_at", **where(UNDER_WAY_SQL)),
        Index("ix_publications_stats_due", "stats_due_at", **where("stats_due_at IS NOT NULL")),
        Index("ix_publications_user_newest", "user_id", "id"),
        # The list narrowed down, and the counts above it without the rows.
        Index("ix_publications_user_status", "user_id", "status", "id"),
        Index("ix_publications_user_platform", "user_id", "platform", "id"),
        Index("ix_publications_user_platform_status", "user_id", "platform", "status", "id"),
        # The plan: what is due when, and what waits in a slot.
        Index("ix_publications_user_due", "user_id", "due_at"),
        Index("ix_publications_slot", "slot_id", "due_at", **where("slot_id IS NOT NULL")),
        # What can be brought back.
        Index("ix_publications_withheld", "user_id", "withheld_at", **where("withheld_at IS NOT NULL")),
        # A card's newest publication on each account, without the rows.
        Index("ix_publications_clip", "clip_id", "platform", "account_id", "id"),
        Index("ix_publications_clipless", "user_id", "title", **where("clip_id IS NULL")),
        # What the statistics add up of a user, without the rows: by clip, and by platform.
        Index("ix_publications_user_clip_views", "user_id", "status", "clip_id", "views", "id"),
        Index("ix_publications_user_counts", "user_id", "platform", "status", *("views", "likes", "shares")),
        # What is live on an account, and what is to be read there, without all that it has published.
        Index("ix_publications_connection", "connection_id", "status", "stats_due_at"),
    )


class PublicationEvent(db.Model):
    """A line of a publication's history, which its user can open."""

    __tablename__ = "publication_events"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)
    kind: Mapped[str] = mapped_column(String(32))  # a key of texts.EVENTS
    status: Mapped[str] = mapped_column(String(16))  # the status after it
    # The step's or commit's name, a reason, or the due time it was given (ISO 8601, UTC).
    name: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str | None] = mapped_column(Text)


class PublicationStep(db.Model):
    """A durable step's answer, sealed: it may hold upload URLs. Erased when the publication settles."""

    __tablename__ = "publication_steps"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    sealed_answer: Mapped[bytes] = mapped_column(LargeBinary)
    finished_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    __table_args__ = (UniqueConstraint("publication_id", "name"),)

    @property
    def sealed_for(self) -> str:
        """What the vault binds this row's answer to."""
        return step_sealed_for(self.publication_id, self.name)


def step_sealed_for(publication_id: int, name: str) -> str:
    return f"step:{publication_id}:{name}"


# Built once and without the ORM: a worker holds SQLite's one write lock while a statement is put together.
_CLIPS, _ROWS = Clip.__table__, Publication.__table__
_CLIP_ID = select(_ROWS.c.clip_id).where(_ROWS.c.id == bindparam("publication")).scalar_subquery()
_TOUCH = update(_CLIPS).where(_CLIPS.c.id == _CLIP_ID).values(version=_CLIPS.c.version + 1)


def live_places(clip_ids: Collection[int | None]) -> set[tuple[int | None, int | None]]:
    """Clips and connections, of which a publication is live."""
    live = select(_ROWS.c.clip_id, _ROWS.c.connection_id).where(_ROWS.c.clip_id.in_(clip_ids), _ROWS.c.status.in_(LIVE))
    return {(clip_id, connection_id) for clip_id, connection_id in db.session.execute(live)}


def touch(publication_id: int) -> None:
    """Raises the version of the publication's clip, which a page's poll compares. The caller commits."""
    db.session.execute(_TOUCH, {"publication": publication_id})


def touch_all(publication_ids: Sequence[int]) -> None:
    """The same for many; their clips are locked in order, so that two at once do not wait for each other."""
    clips = select(_ROWS.c.clip_id).where(_ROWS.c.id.in_(publication_ids))
    locked = select(_CLIPS.c.id).where(_CLIPS.c.id.in_(clips)).order_by(_CLIPS.c.id).with_for_update(key_share=True)
    ids = db.session.scalars(locked).all()
    db.session.execute(update(_CLIPS).where(_CLIPS.c.id.in_(ids)).values(version=_CLIPS.c.version + 1))
