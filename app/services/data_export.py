"""A user's own data as one JSON document (Federal Law 152-ФЗ)."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import select

from app import clock
from app.db import db, end_reading
from app.models import (
    AccountSet,
    ApiKey,
    AuditEvent,
    Clip,
    ClipImport,
    InboxFile,
    IncomingHook,
    Notification,
    Passkey,
    PlatformConnection,
    Publication,
    PublicationEvent,
    Render,
    Rendition,
    Rule,
    RuleRun,
    StatsSample,
    TelegramChat,
    User,
    UserSession,
    Webhook,
)
from app.services import audit_log

BATCH = 500

# What is exported of each table, by its columns' names: no secrets and no internal columns.
_PROFILE = "email name timezone plan_key created_at consented_at consent_version email_confirmed_at"
_PUBLICATION = (
    "clip_id connection_id platform account_id account_name account_url title description options status "
    "reason detail due_at recipe rendition_id sent_sha256 external_id url created_at started_at published_at "
    "views likes shares"
)
_CLIP = (
    "title description file_name source source_name status size sha256 content_type duration_ms width height "
    "cover cover_ms created_at"
)
_RULE = (
    "name enabled source source_name name_pattern account_set_id connection_ids title_template text_template options "
    "when_kind after_minutes needs_approval daily_limit created_at"
)
_TABLES: dict[str, tuple[type, str]] = {
    "connections": (
        PlatformConnection,
        "platform account_id account_name account_url avatar_url facts asked_options status created_at",
    ),
    "account_sets": (AccountSet, "name connection_ids weekly_slots paused_at created_at"),
    "rules": (Rule, _RULE),
    "rule_runs": (RuleRun, "rule_name clip_id clip_title state publication_ids due_at created_at settled_at"),
    "renders": (Render, "external_id title description when source source_name clip_id created_at cancelled_at"),
    "imports": (ClipImport, "host file_name size state reason source source_name clip_id created_at"),
    "incoming_hooks": (IncomingHook, "name mapping used_at created_at"),
    "inbox_files": (InboxFile, "path size state reason clip_id seen_at"),
    "clips": (Clip, _CLIP),
    "renditions": (Rendition, "clip_id recipe state reason size sha256 facts created_at"),
    "publications": (Publication, _PUBLICATION),
    "publication_events": (PublicationEvent, "publication_id at kind status name detail"),
    "stats": (StatsSample, "publication_id at views likes shares"),
    "notifications": (Notification, "kind facts created_at read_at mailed_at"),
    "sessions": (UserSession, "user_agent address created_at seen_at"),
    "api_keys": (ApiKey, "name scopes created_at expires_at used_at revoked_at"),
    "passkeys": (Passkey, "name created_at used_at"),
    "telegram_chats": (TelegramChat, "chat_id name linked_at"),
    "webhooks": (Webhook, "name url kinds state created_at"),
    "security": (AuditEvent, "at kind detail address"),
}


def export(user: User) -> Iterator[str]:
    """The document piece by piece: a hundred thousand rows take no more memory than a few.

    It is read after the unit of work is committed. The clips' files are not in it, but the addresses to save them from.
    """
    audit_log.record(user.id, "data_downloaded")
    return _document(user.id, _row(user, _PROFILE))


def _document(user_id: int, profile: dict[str, Any]) -> Iterator[str]:
    yield '{\n"made_at": ' + _json(clock.now()) + ',\n"profile": ' + _json(profile)
    for name, (model, columns) in _TABLES.items():
        yield f',\n"{name}": ['
        separator = "\n"
        for row in _rows(model, user_id):
            yield separator + _json({"id": row.id, **_row(row, columns), **_file(row)})
            separator = ",\n"
        yield "\n]"
    yield "\n}\n"


def _rows(model: type, user_id: int) -> Iterator[Any]:
    """In batches, between which the connection goes back: a client may be slow."""
    query = select(model).order_by(model.id).limit(BATCH)
    if hasattr(model, "user_id"):
        query = query.where(model.user_id == user_id)
    else:
        query = query.where(model.publication_id.in_(select(Publication.id).where(Publication.user_id == user_id)))
    after = 0
    while rows := db.session.scalars(query.where(model.id > after)).all():
        after = rows[-1].id
        db.session.expunge_all()
        end_reading()
        yield from rows


def _row(row: Any, columns: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in columns.split()}


def _file(row: Any) -> dict[str, str]:
    address = f"{current_app.config['PUBLIC_URL']}/media"
    if isinstance(row, Clip):
        return {"file": f"{address}/clips/{row.id}/video?download=1"}
    if isinstance(row, Rendition) and row.sha256:
        return {"file": f"{address}/renditions/{row.id}/video?download=1"}
    return {}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=datetime.isoformat)
