"""Keys of the HTTP API: `vz_` and 32 random bytes, of which only the hash is stored.

A key is a credential of its own, which machines hold: it lives on when its user changes the password or ends sessions,
until it expires or is revoked (docs/decisions/0024-http-api-library.md).
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import or_, select, update

from app import clock
from app.db import db
from app.models import ApiKey, Scope, User, lock_user
from app.problems import NotFound, Problem
from app.services import audit_log, clips, second_factor, security_notices

PREFIX = "vz_"
MAX_KEYS = 20  # that work; revoked ones are not counted
MAX_NAME = ApiKey.name.type.impl.length
MAX_DAYS = 3650
_HINT = len(PREFIX) + 5
# A key's last use, and that one which has ended is still used, are written no more often.
_USED_STEP = timedelta(minutes=1)
_REFUSED_STEP = timedelta(hours=1)
_SHOWN_REVOKED = timedelta(days=30)


@dataclass(frozen=True)
class NewKey:
    """`secret` is shown once and stored nowhere."""

    row: ApiKey
    secret: str


def create(user: User, name: str, scope: str = Scope.READ, days: int | None = None) -> NewKey:
    """`days`: how long it works; None is for ever. Raises Problem at the field at fault."""
    name = clips.one_line(name)
    if not name or len(name) > MAX_NAME:
        raise Problem("api_key_name_invalid", "name", max=MAX_NAME)
    if scope not in list(Scope):
        raise Problem("api_key_scope_unknown", "scope")
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise Problem("api_key_days_invalid", "days", max=MAX_DAYS)
    lock_user(user.id)  # of two requests at once, both would see room for one more
    if sum(is_working(one) for one in all_of(user)) >= MAX_KEYS:
        raise Problem("too_many_api_keys", max=MAX_KEYS)
    secret = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(
        user_id=user.id,
        name=name,
        secret_hash=_hash(secret),
        hint=secret[:_HINT],
        scope=scope,
        expires_at=clock.now() + timedelta(days=days) if days else None,
    )
    db.session.add(row)
    db.session.flush()
    audit_log.record(user.id, "api_key_created", name)
    security_notices.notify(user, "api_key_created")
    return NewKey(row, secret)


def get(user: User, key_id: int) -> ApiKey:
    """Locked until the transaction ends. Raises NotFound, for another user's too."""
    row = db.session.scalar(select(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user.id).with_for_update())
    if row is None:
        raise NotFound
    return row


def revoke(user: User, key_id: int) -> ApiKey:
    """From the next request on it opens nothing; a second press changes nothing. Raises NotFound."""
    row = get(user, key_id)
    if row.revoked_at is None:
        row.revoked_at = clock.now()
        audit_log.record(user.id, "api_key_revoked", row.name)
        security_notices.notify(user, "api_key_revoked")
    return row


def all_of(user: User) -> Sequence[ApiKey]:
    """Newest first; those that were revoked a month ago or earlier are left out."""
    shown = or_(ApiKey.revoked_at.is_(None), ApiKey.revoked_at > clock.now() - _SHOWN_REVOKED)
    return db.session.scalars(select(ApiKey).where(ApiKey.user_id == user.id, shown).order_by(ApiKey.id.desc())).all()


def is_working(key: ApiKey) -> bool:
    return key.revoked_at is None and not is_expired(key)


def is_expired(key: ApiKey) -> bool:
    return key.expires_at is not None and key.expires_at <= clock.now()


def find(secret: str) -> tuple[ApiKey, User] | None:
    """The key and its user, whether it works or not; None where there is none, or its user may not sign in."""
    row = db.session.execute(
        select(ApiKey, User).join(User, User.id == ApiKey.user_id).where(ApiKey.secret_hash == _hash(secret))
    ).one_or_none()
    if row is None or not row[1].may_sign_in or second_factor.must_be_set_up(row[1]):
        return None
    return row[0], row[1]


def is_unseen(key: ApiKey) -> bool:
    """Whether its use is to be written again."""
    return key.used_at is None or key.used_at < clock.now() - _USED_STEP


def mark_used(key_id: int) -> None:
    now = clock.now()
    stale = or_(ApiKey.used_at.is_(None), ApiKey.used_at < now - _USED_STEP)
    db.session.execute(
        update(ApiKey)
        .where(ApiKey.id == key_id, stale)
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )


def is_refusal_news(key: ApiKey) -> bool:
    return key.refused_at is None or key.refused_at < clock.now() - _REFUSED_STEP


def note_refusal(key_id: int) -> None:
    """A line in «Безопасность»: somebody still uses a key that has ended."""
    now = clock.now()
    stale = or_(ApiKey.refused_at.is_(None), ApiKey.refused_at < now - _REFUSED_STEP)
    row = db.session.execute(
        update(ApiKey)
        .where(ApiKey.id == key_id, stale)
        .values(refused_at=now)
        .returning(ApiKey.user_id, ApiKey.name)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row:
        audit_log.record(row.user_id, "api_key_refused", row.name)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
