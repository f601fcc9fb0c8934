"""A user's webhooks: addresses that are told what happens."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from flask import current_app
from sqlalchemy import delete, func, select, update

from app import clock
from app.db import db
from app.models import DeliveryState, User, Webhook, WebhookDelivery, WebhookState, lock_user
from app.problems import NotFound, Problem
from app.services import audit_log, clips
from app.webhooks import addresses, payloads, signatures

MAX_WEBHOOKS = 10
MAX_NAME = Webhook.name.type.impl.length
# A receiver gets the new secret meanwhile.
PREVIOUS_SECRET_KEPT = timedelta(hours=24)


def all_of(user: User) -> Sequence[Webhook]:
    return db.session.scalars(select(Webhook).where(Webhook.user_id == user.id).order_by(Webhook.id)).all()


def get(user: User, webhook_id: int) -> Webhook:
    """Raises NotFound, for another user's webhook too."""
    return _found(select(Webhook).where(Webhook.id == webhook_id, Webhook.user_id == user.id))


def _locked(user: User, webhook_id: int) -> Webhook:
    """Workers wait that have delivered something to it, and then see what is changed."""
    mine = select(Webhook).where(Webhook.id == webhook_id, Webhook.user_id == user.id)
    return _found(mine.with_for_update().execution_options(populate_existing=True))


def _found(query) -> Webhook:
    webhook = db.session.scalar(query)
    if webhook is None:
        raise NotFound
    return webhook


def create(user: User, url: str, name: str = "", kinds: Collection[str] | None = None) -> tuple[Webhook, str]:
    """The webhook and its secret, which cannot be read again. `kinds`: of events; None: all.

    Raises Problem at the fields «url», «name», «kinds».
    """
    values = _checked(url, name, kinds)
    lock_user(user.id)  # of two requests at once, both would see room for one more
    if db.session.scalar(select(func.count(Webhook.id)).where(Webhook.user_id == user.id)) >= MAX_WEBHOOKS:
        raise Problem("too_many_webhooks", max=MAX_WEBHOOKS)
    webhook = Webhook(user_id=user.id, sealed_secret=b"", **values)
    db.session.add(webhook)
    db.session.flush()
    secret = _seal_new_secret(webhook)
    audit_log.record(user.id, "webhook_added", webhook.name)
    return webhook, secret


def change(user: User, webhook_id: int, url: str, name: str = "", kinds: Collection[str] | None = None) -> Webhook:
    """Raises NotFound, Problem as `create` does. An address that stays is not looked up again."""
    stays = url.strip() == get(user, webhook_id).url
    values = _checked(url, name, kinds, known=stays)
    webhook = _locked(user, webhook_id)
    moves = webhook.url != values["url"]
    for column, value in values.items():
        setattr(webhook, column, value)
    if moves:
        audit_log.record(user.id, "webhook_moved", webhook.name)
        if webhook.state == WebhookState.ACTIVE:
            _begin_anew(webhook)  # what failed at the other address
    return webhook


def _checked(url: str, name: str, kinds: Collection[str] | None, *, known: bool = False) -> dict[str, object]:
    url = url.strip() if known else addresses.checked(url, addresses.local_origins(current_app.config))
    name = clips.one_line(name) or urlsplit(url).hostname[:MAX_NAME]
    if len(name) > MAX_NAME:
        raise Problem("webhook_name_too_long", "name", max=MAX_NAME)
    if kinds is not None and not kinds:
        raise Problem("webhook_kinds_missing", "kinds")
    if kinds is not None and not payloads.KINDS.keys() >= set(kinds):
        raise Problem("webhook_kind_unknown", "kinds")
    return {"url": url, "name": name, "kinds": kinds and [kind for kind in payloads.KINDS if kind in kinds]}


def rotate(user: User, webhook_id: int) -> str:
    """A new secret, which cannot be read again. The previous one signs too for PREVIOUS_SECRET_KEPT.

    Raises NotFound.
    """
    webhook = _locked(user, webhook_id)
    webhook.sealed_previous, webhook.previous_until = webhook.sealed_secret, clock.now() + PREVIOUS_SECRET_KEPT
    audit_log.record(user.id, "webhook_secret_rotated", webhook.name)
    return _seal_new_secret(webhook)


def _seal_new_secret(webhook: Webhook) -> str:
    secret = signatures.new_secret()
    webhook.sealed_secret = current_app.extensions["vault"].seal(secret.encode(), webhook.sealed_for)
    return secret


def turn_off(user: User, webhook_id: int) -> None:
    """What happens from now on is not for it. Raises NotFound."""
    webhook = _locked(user, webhook_id)
    webhook.state, webhook.pause_reason, webhook.paused_at = WebhookState.OFF, None, clock.now()
    put_to_rest(webhook)


def put_to_rest(webhook: Webhook) -> None:
    """Nothing wakes what waits for a webhook that is not active, but for what its user asks for."""
    db.session.execute(_pending(webhook).where(WebhookDelivery.urgent.is_(False)).values(wake_at=None))


def turn_on(user: User, webhook_id: int) -> int:
    """Returns how many events that have waited are sent now. Raises NotFound."""
    webhook = _locked(user, webhook_id)
    if webhook.state == WebhookState.ACTIVE:
        return 0
    webhook.state, webhook.pause_reason, webhook.paused_at = WebhookState.ACTIVE, None, None
    return _begin_anew(webhook)


def _begin_anew(webhook: Webhook) -> int:
    """All that waits is tried at once, and then for another day."""
    webhook.failing_since, webhook.silences, webhook.held_until = None, 0, None
    fresh = {"wake_at": clock.now(), "tries": 0, "first_tried_at": None}
    return db.session.execute(_pending(webhook).values(fresh)).rowcount


def _pending(webhook: Webhook):
    waiting = WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.state == DeliveryState.PENDING
    return update(WebhookDelivery).where(*waiting).execution_options(synchronize_session="fetch")


def remove(user: User, webhook_id: int) -> None:
    """With its history. Raises NotFound."""
    webhook = _locked(user, webhook_id)
    audit_log.record(user.id, "webhook_removed", webhook.name)
    db.session.execute(delete(Webhook).where(Webhook.id == webhook.id))
