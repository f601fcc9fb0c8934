"""Consents under way: what the callback of a consent page needs, in the database until the browser comes back.

In the session cookie each abandoned consent would take 600 bytes of the 4 KB that browsers accept.
"""

import hashlib
from datetime import timedelta
from typing import NamedTuple

from flask import current_app
from sqlalchemy import delete, or_, select

from app import clock
from app.db import db
from app.models import OAuthState, User

LIFETIME = timedelta(minutes=10)
MAX_PER_USER = 20  # the oldest are deleted


class SealedConsent(NamedTuple):
    """What only a worker opens, and what the vault has bound it to."""

    sealed: bytes
    sealed_for: str


def begin(user: User, platform: str, browser: str, state: str, secret: str) -> None:
    """Seals `secret` for the callback with this state. `browser` identifies the session that may use it."""
    now = clock.now()
    mine = OAuthState.user_id == user.id
    newest = select(OAuthState.state_hash).where(mine).order_by(OAuthState.expires_at.desc()).limit(MAX_PER_USER - 1)
    db.session.execute(
        delete(OAuthState).where(mine, or_(OAuthState.expires_at <= now, OAuthState.state_hash.not_in(newest)))
    )
    consent = OAuthState(
        state_hash=_hash(state),
        user_id=user.id,
        platform=platform,
        browser_hash=_hash(browser),
        expires_at=now + LIFETIME,
    )
    consent.sealed = current_app.extensions["vault"].seal(secret.encode(), consent.sealed_for)
    db.session.add(consent)


def take(user: User, platform: str, browser: str, state: str) -> SealedConsent | None:
    """The sealed secret of a state, once the caller commits: of two callbacks at the same time one gets None.

    None too for a state that has expired, or was begun by another user, in another browser or for another platform.
    """
    consent = db.session.scalar(
        delete(OAuthState)
        .where(
            OAuthState.state_hash == _hash(state),
            OAuthState.user_id == user.id,
            OAuthState.platform == platform,
            OAuthState.browser_hash == _hash(browser),
            OAuthState.expires_at > clock.now(),
        )
        .returning(OAuthState)
    )
    return None if consent is None else SealedConsent(consent.sealed, consent.sealed_for)


def sweep() -> None:
    db.session.execute(delete(OAuthState).where(OAuthState.expires_at <= clock.now()))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
