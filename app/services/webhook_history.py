"""A webhook's deliveries, as its user sees them, and what can be done with one."""

from functools import partial

from sqlalchemy import func, select

from app import clock, queue
from app.db import after_commit, db
from app.models import PING, DeliveryState, User, Webhook, WebhookDelivery, WebhookState
from app.paging import Page, indexed_eq, paginate
from app.problems import NotFound, Problem
from app.services import webhook_deliveries, webhooks
from app.webhooks import payloads, signatures

PER_PAGE = 20
MAX_URGENT = 5


def page(user: User, webhook_id: int, number: int = 1) -> Page[WebhookDelivery]:
    """Newest first. Raises NotFound."""
    webhook = webhooks.get(user, webhook_id)
    mine = select(WebhookDelivery).where(indexed_eq(WebhookDelivery.webhook_id, webhook.id))
    newest_first = mine.order_by(WebhookDelivery.webhook_id.desc(), WebhookDelivery.id.desc())
    return paginate(newest_first, number, PER_PAGE)


def get(user: User, webhook_id: int, delivery_id: int) -> WebhookDelivery:
    """Raises NotFound, for another user's too."""
    webhook = webhooks.get(user, webhook_id)
    mine = WebhookDelivery.id == delivery_id, WebhookDelivery.webhook_id == webhook.id
    delivery = db.session.scalar(select(WebhookDelivery).where(*mine).with_for_update())
    if delivery is None:
        raise NotFound
    return delivery


def waiting(user: User) -> dict[int, int]:
    """How many deliveries of each of the user's webhooks are open, by its id."""
    is_open = WebhookDelivery.state.in_((DeliveryState.PENDING, DeliveryState.SENDING))
    counts = select(Webhook.id, func.count()).join(WebhookDelivery, WebhookDelivery.webhook_id == Webhook.id)
    found = db.session.execute(counts.where(Webhook.user_id == user.id, is_open).group_by(Webhook.id))
    return dict(found.all())


def test(user: User, webhook_id: int) -> WebhookDelivery:
    """A `ping`, tried once, whatever the webhook's state. Raises NotFound, Problem."""
    webhook = webhooks.get(user, webhook_id)
    _require_room(webhook)
    now = clock.now()
    delivery = WebhookDelivery(
        webhook_id=webhook.id,
        kind=PING,
        message_id=signatures.new_message_id(),
        payload=payloads.ping(webhook.id, now),
        urgent=True,
        created_at=now,
    )
    db.session.add(delivery)
    db.session.flush()
    _wake_soon(webhook)
    return delivery


def resend(user: User, webhook_id: int, delivery_id: int) -> WebhookDelivery:
    """One that is settled is tried once more, with its id; one that waits for its next try is tried now.

    Raises NotFound, Problem.
    """
    webhook, delivery = webhooks.get(user, webhook_id), get(user, webhook_id, delivery_id)
    if delivery.state in (DeliveryState.DELIVERED, DeliveryState.FAILED):
        _require_room(webhook)
        delivery.state, delivery.urgent = DeliveryState.PENDING, True
    elif webhook.state != WebhookState.ACTIVE:
        raise Problem("webhook_not_active")
    if delivery.state == DeliveryState.PENDING:
        delivery.wake_at = clock.now()
        _wake_soon(webhook)
    return delivery


def skip(user: User, webhook_id: int, delivery_id: int) -> None:
    """One that waits for its next try is given up: what follows of its clip goes on. Raises NotFound."""
    delivery = get(user, webhook_id, delivery_id)
    if delivery.state == DeliveryState.PENDING:
        delivery.state, delivery.wake_at, delivery.urgent = DeliveryState.FAILED, None, False
        delivery.error = "skipped"
        webhook_deliveries.wake_followers(delivery)


def _require_room(webhook: Webhook) -> None:
    waiting = WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.urgent
    if db.session.scalar(select(func.count(WebhookDelivery.id)).where(*waiting)) >= MAX_URGENT:
        raise Problem("webhook_busy")


def _wake_soon(webhook: Webhook) -> None:
    """Faster than the tick."""
    after_commit(partial(queue.enqueue, "app.jobs.deliveries.deliver_webhooks", webhook.id))
