"""What receivers are sent: the body of each kind of event, in the words of the HTTP API."""

import json
from datetime import UTC, datetime
from typing import Any

from app import texts
from app.models import PING, Event

_CLIP = ("title", "reason")
_PUBLICATION = ("platform", "account", "title", "reason", "url", "due_at")
_SUBJECTS = ("publication_id", "clip_id", "connection_id")

# The kinds of events that are sent, in the order of the form, and what of an event's data goes with each. What is not
# here (sign-ins, the second factor, the plan) is for people. Their names: texts.webhooks.KINDS.
KINDS: dict[str, tuple[str, ...]] = {
    "clip.ready": _CLIP,
    "clip.failed": _CLIP,
    "clip.import_failed": (*_CLIP, "host"),
    "clip.held": (*_CLIP, "rule"),
    "clip.not_published": ("title",),
    "publication.scheduled": _PUBLICATION,
    "publication.started": _PUBLICATION,
    "publication.published": _PUBLICATION,
    "publication.failed": _PUBLICATION,
    "publication.unconfirmed": _PUBLICATION,
    "publication.awaiting_user": _PUBLICATION,
    "publication.cancelled": _PUBLICATION,
    "publication.restored": _PUBLICATION,
    "connection.reconnect": ("platform", "account"),
    "webhook.paused": ("webhook_id", "name", "reason"),
}


def of(event: Event) -> dict[str, Any]:
    subjects = {name: getattr(event, name) for name in _SUBJECTS if getattr(event, name) is not None}
    facts = {name: event.data.get(name) for name in KINDS[event.kind]}
    if facts.get("due_at"):
        facts["due_at"] = _time(datetime.fromisoformat(facts["due_at"]))
    reason, why = facts.get("reason"), event.data.get("why")
    if "reason" in facts or why:
        facts["detail"] = why or (texts.sentence(reason) if reason in texts.REASONS else None)
    return _body(event.kind, event.at, {**subjects, **facts})


def ping(webhook_id: int, at: datetime) -> dict[str, Any]:
    return _body(PING, at, {"webhook_id": webhook_id})


def encoded(payload: dict[str, Any]) -> bytes:
    """The same bytes at each try."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _body(kind: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "timestamp": _time(at), "data": data}


def _time(at: datetime) -> str:
    """RFC 3339, as everywhere in the API."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
