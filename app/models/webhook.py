from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.db import db
from app.models.types import JSON, Id, String, UTCDateTime, where

PING = "ping"  # a delivery that the user asks for, to try the address


class WebhookState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"  # by us: what happens is kept for it, and delivered once its user resumes it
    OFF = "off"  # by its user: what happens is not for it


class PauseReason(StrEnum):
    """Keys of texts.REASONS."""

    FAILING = "webhook_failing"
    GONE = "webhook_gone"  # the receiver has said so: 410


class Webhook(db.Model):
    """An address of a user's that is told what happens (https://www.standardwebhooks.com)."""

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    url: Mapped[str] = mapped_column(String(2000))
    kinds: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))  # of events; None: all, later ones too
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_previous: Mapped[bytes | None] = mapped_column(LargeBinary)  # signs too, until `previous_until`
    previous_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    state: Mapped[str] = mapped_column(String(16), default=WebhookState.ACTIVE)
    pause_reason: Mapped[str | None] = mapped_column(String(16))
    paused_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    failing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)  # no event has been delivered since
    # How often in a row there was no response at all, and until when it is left alone because of that.
    silences: Mapped[int] = mapped_column(default=0)
    held_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    tried_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # the one tried longest ago has the next turn
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now)

    @property
    def sealed_for(self) -> str:
        """What the vault binds this row's secrets to."""
        return f"webhook:{self.id}"


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookDelivery(db.Model):
    """One event for one webhook: what is sent, and what became of it."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[int | None] = mapped_column(Id)  # no reference: events are swept earlier
    kind: Mapped[str] = mapped_column(String(32))
    clip_id: Mapped[int | None] = mapped_column(Id)  # those of one clip are delivered in their order
    message_id: Mapped[str] = mapped_column(String(40))  # the receiver knows a repetition by it
    payload: Mapped[dict] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16), default=DeliveryState.PENDING)
    # The user waits for it: it is tried once, whatever its webhook's state.
    urgent: Mapped[bool] = mapped_column(default=False)
    # The next try, or the end of the lease; None once it is settled, and while its webhook is not active.
    wake_at: Mapped[datetime | None] = mapped_column(UTCDateTime, default=clock.now)
    tries: Mapped[int] = mapped_column(default=0)
    first_tried_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    # The last try: when it began, how long it took, the response.
    tried_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    took_ms: Mapped[int | None]
    status_code: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(String(32))  # a key of texts.webhooks.ERRORS
    excerpt: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=clock.now, index=True)

    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_webhook_deliveries_newest", "webhook_id", "id"),
        Index("ix_webhook_deliveries_wake", "wake_at", **where("wake_at IS NOT NULL")),
        Index("ix_webhook_deliveries_open", "webhook_id", "clip_id", **where("state IN ('pending', 'sending')")),
    )
