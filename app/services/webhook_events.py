"""What happens becomes deliveries: a consumer of the events."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, insert, select, update

from app import clock
from app.db import db
from app.models import DeliveryState, Event, Webhook, WebhookDelivery, WebhookState
from app.models.event import consume
from app.webhooks import payloads, signatures

KEPT = timedelta(days=30)
_SWEEP_BATCH = 5000


def read() -> None:
    consume("webhooks", _add_deliveries, from_end=True)


def _add_deliveries(events: Sequence[Event]) -> None:
    events = [event for event in events if event.kind in payloads.KINDS]
    users = {event.user_id for event in events}
    if not users:
        return
    # Locked in the order of their ids: a worker or a user may be changing one.
    theirs = Webhook.user_id.in_(users), Webhook.state != WebhookState.OFF
    by_user: dict[int, list[Webhook]] = defaultdict(list)
    for webhook in db.session.scalars(select(Webhook).where(*theirs).order_by(Webhook.id).with_for_update()):
        by_user[webhook.user_id].append(webhook)
    rows = [_row(webhook, event) for event in events for webhook in by_user[event.user_id] if _is_told(webhook, event)]
    if rows:
        db.session.execute(insert(WebhookDelivery), rows)


def _is_told(webhook: Webhook, event: Event) -> bool:
    of_itself = event.kind == "webhook.paused" and event.data["webhook_id"] == webhook.id
    return not of_itself and (webhook.kinds is None or event.kind in webhook.kinds)


def _row(webhook: Webhook, event: Event) -> dict[str, object]:
    now = clock.now()
    wake_at = max(now, webhook.held_until or now) if webhook.state == WebhookState.ACTIVE else None
    return {
        "webhook_id": webhook.id,
        "event_id": event.id,
        "kind": event.kind,
        "clip_id": event.clip_id,
        "message_id": signatures.new_message_id(),
        "payload": payloads.of(event),
        "wake_at": wake_at,
        "created_at": now,
    }


def sweep() -> None:
    """Deletes old deliveries, and previous secrets that are no longer valid."""
    now = clock.now()
    old = WebhookDelivery.created_at < now - KEPT, WebhookDelivery.state != DeliveryState.SENDING
    batch = select(WebhookDelivery.id).where(*old).order_by(WebhookDelivery.created_at).limit(_SWEEP_BATCH)
    db.session.execute(delete(WebhookDelivery).where(WebhookDelivery.id.in_(batch)))
    over = update(Webhook).where(Webhook.sealed_previous.is_not(None), Webhook.previous_until <= now)
    db.session.execute(over.values(sealed_previous=None, previous_until=None))
