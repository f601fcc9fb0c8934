"""Makes notifications: of events here, of publications that come up in `reminders`."""

from collections.abc import Sequence

from sqlalchemy import select, update

from app import clock, mail, platforms
from app.db import db
from app.models import Clip, Event, Notification, PlatformConnection, Status, touch
from app.models.event import consume

# Kinds of notifications (keys of texts.NOTIFICATIONS) by the kind of the event.
_KINDS: dict[str, str] = {
    "publication.failed": Status.FAILED,
    "publication.unconfirmed": Status.UNCONFIRMED,
    "publication.awaiting_user": Status.AWAITING_USER,
    "connection.reconnect": "reconnect",
    "clip.not_published": "not_published",
    "clip.held": "held",
    "clip.import_failed": "import_failed",
    "plan.withheld": "plan_withheld",
    "plan.returnable": "plan_returnable",
    "platform.incident": "incident",
    "platform.recovered": "recovered",
    "webhook.paused": "webhook_paused",
    "session.new_device": "new_device",
    "security.second_factor_added": "second_factor_added",
    "security.second_factor_removed": "second_factor_removed",
    "security.recovery_code_used": "recovery_code_used",
    "security.passkey_added": "passkey_added",
    "security.api_key_created": "api_key_created",
    "security.api_key_revoked": "api_key_revoked",
    "security.passkey_removed": "passkey_removed",
}
_OWN_FACTS = ("session.", "security.", "clip.", "plan.", "webhook.", "platform.")
_KEYS_PER_QUERY = 500


def read_events() -> None:
    consume("notifications", _notify)


def _notify(events: Sequence[Event]) -> None:
    events = [event for event in events if event.kind in _KINDS and not _is_told_otherwise(event)]
    if not events:
        return
    accounts = {event.connection_id for event in events if event.connection_id and not event.publication_id}
    connected = set(db.session.scalars(select(PlatformConnection.id).where(PlatformConnection.id.in_(accounts))))
    # An account that has been disconnected since need not be connected again.
    gone = accounts - connected
    add_new([_of(event) for event in events if event.publication_id or event.connection_id not in gone])
    # An open page's poll finds its clip changed, and brings the bell with it.
    for publication_id in sorted({event.publication_id for event in events if event.publication_id}):
        touch(publication_id)
    if clip_ids := {event.clip_id for event in events if event.clip_id and not event.publication_id}:
        db.session.execute(update(Clip).where(Clip.id.in_(clip_ids)).values(version=Clip.version + 1))


def _is_told_otherwise(event: Event) -> bool:
    """Of all that an incident has kept from going out, one notification tells: at its end."""
    return event.kind == "publication.failed" and event.data["reason"] == "incident"


def _of(event: Event) -> Notification:
    kind, data = _KINDS[event.kind], event.data
    if event.kind.startswith("platform."):
        data = data | {"key": data["platform"], "platform": platforms.ADAPTERS[data["platform"]].name}
    if event.kind.startswith(_OWN_FACTS):
        return Notification(
            user_id=event.user_id,
            kind=kind,
            dedup_key=f"event:{event.id}",
            facts={**data, "at": event.at.isoformat()} | ({"clip": event.clip_id} if event.clip_id else {}),
            created_at=event.at,
        )
    facts = {"platform": platforms.ADAPTERS[data["platform"]].name, "account": data["account"]}
    if event.publication_id:
        # Each move raises the fence: a failure after «Повторить» is another one.
        dedup_key = f"publication:{event.publication_id}:{kind}:{data['fence']}"
        facts |= {"title": data["title"], "reason": data["reason"]}
        subject = {"publication_id": event.publication_id}
    else:
        dedup_key = f"connection:{event.connection_id}:{kind}:{event.at:%Y%m%d%H%M%S}"
        subject = {"connection_id": event.connection_id}
    return Notification(
        user_id=event.user_id, kind=kind, dedup_key=dedup_key, facts=facts, created_at=event.at, **subject
    )


def add_new(notifications: Sequence[Notification]) -> None:
    """Adds those whose user has none with the same `dedup_key`; by mail too, where mail is set up."""
    new = {(one.user_id, one.dedup_key): one for one in notifications}
    keys = list(new)
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        users, dedup_keys = zip(*keys[start : start + _KEYS_PER_QUERY], strict=True)
        known = select(Notification.user_id, Notification.dedup_key).where(
            Notification.user_id.in_(set(users)), Notification.dedup_key.in_(dedup_keys)
        )
        for key in db.session.execute(known):
            new.pop(tuple(key), None)
    for notification in new.values():
        notification.wake_at = clock.now() if mail.is_set_up() else None
    db.session.add_all(new.values())
