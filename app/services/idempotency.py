"""Requests that may come twice: the first one's answer is kept for a day, in the transaction of its change.

A process that is killed before the commit leaves neither change nor answer; after it, both. So the second request
either does the work or gets the answer, whenever the first one ended.

An answer can hold what is shown once, such as a webhook's secret: it is stored encrypted.
"""

import hashlib
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken
from flask import current_app
from sqlalchemy import delete, select, text

from app import clock
from app.db import db
from app.models import IdempotentRequest, User
from app.problems import Problem
from app.vault import web_cipher

KEPT = timedelta(hours=24)
_SWEEP_BATCH = 1000


class UnderWay(Problem):
    """The first request with the key has not ended yet: to be sent again in a moment."""


def find(user: User, key: str, fingerprint: str) -> IdempotentRequest | None:
    """The request that came before, or None; until the transaction ends, no other with that key begins.

    Raises Problem where the key was used for another request; UnderWay. On SQLite a request that is under way holds the
    one write lock, so that this one has waited for it already.
    """
    _lock(user, key)
    row = db.session.scalar(
        select(IdempotentRequest)
        .where(IdempotentRequest.user_id == user.id, IdempotentRequest.key == key)
        .execution_options(populate_existing=True)
    )
    if row is not None and row.created_at < clock.now() - KEPT:
        db.session.delete(row)
        db.session.flush()
        return None
    if row is not None and row.fingerprint != fingerprint:
        raise Problem("idempotency_key_reused")
    return row


def _lock(user: User, key: str) -> None:
    if db.engine.dialect.name != "postgresql":
        return
    digest = hashlib.sha256(f"{user.id}:{key}".encode()).digest()
    number = int.from_bytes(digest[:8], signed=True)
    if not db.session.scalar(text("SELECT pg_try_advisory_xact_lock(:number)"), {"number": number}):
        raise UnderWay("idempotency_under_way")


def begin(user: User, key: str, fingerprint: str, upload_id: str) -> IdempotentRequest:
    """An upload whose bytes come after this transaction."""
    row = IdempotentRequest(user_id=user.id, key=key, fingerprint=fingerprint, upload_id=upload_id)
    db.session.add(row)
    db.session.flush()
    return row


def finish(user: User, key: str, fingerprint: str, status: int, headers: dict[str, str], body: str) -> None:
    """Keeps the answer. The caller commits it with the change."""
    mine = select(IdempotentRequest).where(IdempotentRequest.user_id == user.id, IdempotentRequest.key == key)
    row = db.session.scalar(mine.execution_options(populate_existing=True))
    if row is None:
        row = IdempotentRequest(user_id=user.id, key=key, fingerprint=fingerprint)
        db.session.add(row)
    row.http_status, row.headers, row.upload_id = status, headers, None
    row.body = _cipher(row).encrypt(body.encode()).decode()
    db.session.flush()


def body_of(row: IdempotentRequest) -> str:
    """Of its answer. Raises Problem where SECRET_KEY has been replaced since."""
    try:
        return _cipher(row).decrypt(row.body).decode()
    except InvalidToken:
        raise Problem("idempotency_answer_lost") from None


def _cipher(row: IdempotentRequest) -> Fernet:
    return web_cipher(current_app.config["SECRET_KEY"], f"idempotent request: {row.user_id} {row.key}")


def forget(row: IdempotentRequest) -> None:
    """The request has failed: it is evaluated anew when it comes again."""
    db.session.delete(row)
    db.session.flush()


def forget_upload(user: User, key: str, upload_id: str) -> None:
    """The same of an upload that has failed."""
    mine = (IdempotentRequest.user_id == user.id, IdempotentRequest.key == key)
    db.session.execute(delete(IdempotentRequest).where(*mine, IdempotentRequest.upload_id == upload_id))


def sweep() -> None:
    old = select(IdempotentRequest.id).where(IdempotentRequest.created_at < clock.now() - KEPT).limit(_SWEEP_BATCH)
    db.session.execute(delete(IdempotentRequest).where(IdempotentRequest.id.in_(old)))
