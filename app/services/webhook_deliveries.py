"""What workers do with deliveries: whose turn it is, the signed message, what its outcome means.

At least once, and in order for each clip: a delivery waits while an earlier one of the same clip is open. A receiver
that responds with a failure is asked again for that delivery alone; one that does not respond is left alone as a whole,
so that thousands of deliveries to it cost no more than one. After GIVE_UP_AFTER the webhook is paused: what is open
stays so until its user turns it on again.
"""

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import aliased

from app import clock
from app.db import db
from app.models import PING, DeliveryState, PauseReason, Webhook, WebhookDelivery, WebhookState, record_event
from app.models.claim import claim
from app.models.types import CLOCK_MARGIN
from app.services import webhooks
from app.vault import CannotOpen
from app.webhooks import payloads, signatures
from app.webhooks.sending import GONE, SECONDS, Message, Outcome

log = structlog.get_logger(__name__)

GIVE_UP_AFTER = timedelta(hours=24)
# What may be under way at once.
PER_USER, PER_WEBHOOK = 4, 2
# A worker whose request takes longer has ended.
LEASE = timedelta(seconds=3 * SECONDS)
_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 7200, 14400))
_JITTER = 0.1
_LONGEST_PAUSE = max(_PAUSES) * (1 + _JITTER)
_OPEN = (DeliveryState.PENDING, DeliveryState.SENDING)


@dataclass(frozen=True)
class Claimed:
    """A delivery for one try; the rows are detached. `message` is None where it cannot be signed."""

    delivery: WebhookDelivery
    webhook: Webhook
    message: Message | None


def _turns() -> Select[tuple[int, int, int, str]]:
    earlier = aliased(WebhookDelivery)
    waits_for_earlier = (
        select(earlier.id)
        .where(
            earlier.webhook_id == WebhookDelivery.webhook_id,
            earlier.clip_id == WebhookDelivery.clip_id,
            earlier.id < WebhookDelivery.id,
            earlier.state.in_(_OPEN),
            earlier.urgent.is_(False),
        )
        .exists()
    )
    # As `types.is_due`: only a clock that was ahead can have written a time that is too far away.
    is_due = or_(WebhookDelivery.wake_at <= bindparam("now"), WebhookDelivery.wake_at > bindparam("too_far"))
    return (
        select(WebhookDelivery.id, WebhookDelivery.webhook_id, WebhookDelivery.tries, WebhookDelivery.state)
        .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
        .where(
            WebhookDelivery.state.in_(_OPEN),
            is_due,
            or_(WebhookDelivery.urgent, and_(Webhook.state == WebhookState.ACTIVE, ~waits_for_earlier)),
            Webhook.id.not_in(bindparam("busy_webhooks", expanding=True)),
            Webhook.user_id.not_in(bindparam("busy_users", expanding=True)),
            or_(Webhook.silences == 0, Webhook.id.not_in(bindparam("tried_webhooks", expanding=True))),
        )
        .order_by(WebhookDelivery.urgent.desc(), Webhook.tried_at.asc().nulls_first(), WebhookDelivery.id)
        .limit(1)
    )


# Built once: a thousand deliveries ask it a thousand times.
_NEXT_TURN = _turns()


def next_turn(under_way: Collection[Claimed] = ()) -> Row[tuple[int, int, int, str]] | None:
    """The next delivery, of the webhook that was tried the longest ago: what `claim_turn` takes. None where nothing may
    go now.

    `under_way`: what this worker has claimed. One receiver, or one user's, that hangs must not take all there is.
    """
    by_webhook = Counter(one.webhook.id for one in under_way)
    by_user = Counter(one.webhook.user_id for one in under_way)
    now = clock.now()
    values = {
        "now": now,
        "too_far": now + _LONGEST_PAUSE + CLOCK_MARGIN,
        "busy_webhooks": [one for one, count in by_webhook.items() if count >= PER_WEBHOOK],
        "busy_users": [one for one, count in by_user.items() if count >= PER_USER],
        "tried_webhooks": list(by_webhook),
    }
    return db.session.execute(_NEXT_TURN, values).one_or_none()


def claim_turn(delivery_id: int, webhook_id: int, tries: int, state: str) -> Claimed | None:
    """None where another worker was faster, or its user has changed it meanwhile."""
    now = clock.now()
    turned = update(Webhook).where(Webhook.id == webhook_id).values(tried_at=now).returning(Webhook)
    webhook = db.session.scalar(turned.execution_options(synchronize_session=False, populate_existing=True))
    delivery = claim(
        WebhookDelivery,
        delivery_id,
        WebhookDelivery.tries == tries,
        WebhookDelivery.state == state,
        lease=LEASE,
        state=DeliveryState.SENDING,
        tries=tries + 1,
        tried_at=now,
        first_tried_at=func.coalesce(WebhookDelivery.first_tried_at, now),
    )
    if delivery is None or webhook is None:
        return None
    db.session.expunge(webhook)
    return Claimed(delivery, webhook, _message(webhook, delivery, now))


def _message(webhook: Webhook, delivery: WebhookDelivery, now: datetime) -> Message | None:
    sealed = [webhook.sealed_secret]
    if webhook.sealed_previous and webhook.previous_until > now:
        sealed.append(webhook.sealed_previous)
    vault = current_app.extensions["vault"]
    try:
        keys = [vault.open(one, webhook.sealed_for).decode() for one in sealed]
    except CannotOpen as error:
        log.error("a webhook's secret cannot be opened", webhook=webhook.id, error=str(error))
        return None
    body = payloads.encoded(delivery.payload)
    return Message(webhook.url, signatures.headers(keys, delivery.message_id, now, body), body)


def settle(claimed: Claimed, outcome: Outcome) -> None:
    """Does nothing where the lease was over and another worker has claimed the delivery."""
    mine = WebhookDelivery.id == claimed.delivery.id, WebhookDelivery.tries == claimed.delivery.tries
    webhook = db.session.scalar(_locked(select(Webhook).where(Webhook.id == claimed.webhook.id)))
    delivery = db.session.scalar(
        _locked(select(WebhookDelivery).where(*mine, WebhookDelivery.state == DeliveryState.SENDING))
    )
    if webhook is None or delivery is None:
        return
    delivery.took_ms, delivery.status_code = outcome.took_ms, outcome.status
    delivery.error, delivery.excerpt = outcome.error, outcome.excerpt
    if outcome.error is None:
        _delivered(webhook, delivery)
    elif delivery.urgent:
        delivery.state, delivery.wake_at, delivery.urgent = DeliveryState.FAILED, None, False
        if outcome.status == GONE:
            _pause(webhook, PauseReason.GONE)
    else:
        _failed(webhook, delivery, outcome)


def _locked(query):
    return query.with_for_update().execution_options(populate_existing=True)


def _delivered(webhook: Webhook, delivery: WebhookDelivery) -> None:
    delivery.state, delivery.wake_at, delivery.urgent = DeliveryState.DELIVERED, None, False
    if delivery.kind != PING:
        webhook.failing_since = None
    _responds(webhook)
    wake_followers(delivery)


def _failed(webhook: Webhook, delivery: WebhookDelivery, outcome: Outcome) -> None:
    now = clock.now()
    webhook.failing_since = webhook.failing_since or delivery.tried_at
    over = min(webhook.failing_since, delivery.first_tried_at) + GIVE_UP_AFTER
    delivery.state, delivery.wake_at = DeliveryState.PENDING, None
    if outcome.status is not None:
        _responds(webhook)
    elif webhook.held_until is None or webhook.held_until <= now:  # else: by one that was under way with this one
        webhook.silences += 1
        webhook.held_until = min(now + _pause_after(webhook.silences), over)
    if outcome.status == GONE or now >= over:
        _pause(webhook, PauseReason.GONE if outcome.status == GONE else PauseReason.FAILING)
    elif webhook.state == WebhookState.ACTIVE:
        wanted = (now + _pause_after(delivery.tries), outcome.retry_at or now, webhook.held_until or now)
        delivery.wake_at = min(max(wanted), over)
        _put_off(webhook, delivery)


def _pause_after(tries: int) -> timedelta:
    return _PAUSES[min(tries, len(_PAUSES)) - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)


def _responds(webhook: Webhook) -> None:
    """What was held while it did not goes on at once."""
    if webhook.silences:
        webhook.silences, webhook.held_until = 0, None
        if webhook.state == WebhookState.ACTIVE:
            _wake(WebhookDelivery.webhook_id == webhook.id, at=clock.now())


def _put_off(webhook: Webhook, delivery: WebhookDelivery) -> None:
    """What would only be found to wait: all of a webhook that is held, or what follows of the same clip."""
    if webhook.held_until:
        of_webhook = WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.wake_at < webhook.held_until
        _wake(*of_webhook, at=webhook.held_until)
    if delivery.clip_id is not None:
        _wake(*_followers(delivery), WebhookDelivery.wake_at < delivery.wake_at, at=delivery.wake_at)


def wake_followers(delivery: WebhookDelivery) -> None:
    """It is settled: what follows of its clip need not wait any longer."""
    if delivery.clip_id is not None:
        _wake(*_followers(delivery), WebhookDelivery.wake_at.is_not(None), at=clock.now())


def _followers(delivery: WebhookDelivery) -> tuple[ColumnElement[bool], ...]:
    same = WebhookDelivery.webhook_id == delivery.webhook_id, WebhookDelivery.clip_id == delivery.clip_id
    return (*same, WebhookDelivery.id > delivery.id, WebhookDelivery.tries == 0)


def _wake(*which: ColumnElement[bool], at: datetime) -> None:
    db.session.flush()
    pending = WebhookDelivery.state == DeliveryState.PENDING, WebhookDelivery.urgent.is_(False)
    changed = update(WebhookDelivery).where(*which, *pending).values(wake_at=at)
    db.session.execute(changed.execution_options(synchronize_session="fetch"))


def _pause(webhook: Webhook, reason: PauseReason) -> None:
    if webhook.state != WebhookState.ACTIVE:
        return
    webhook.state, webhook.pause_reason, webhook.paused_at = WebhookState.PAUSED, reason, clock.now()
    db.session.flush()
    webhooks.put_to_rest(webhook)
    facts = {"webhook_id": webhook.id, "name": webhook.name, "reason": reason}
    record_event(webhook.user_id, "webhook.paused", facts)
