"""Consents under way: what the callback of a consent page needs, in the database until the browser comes back.

In the session cookie each abandoned consent would take 600 bytes of the 4 KB that browsers accept.
"""

import base64
import hashlib
import hmac
from datetime import timedelta

from cryptography.fernet import Fernet
from flask import current_app
from sqlalchemy import delete, or_, select

from app import clock
from app.db import db
from app.models import OAuthState, User

LIFETIME = timedelta(minutes=10)
MAX_PER_USER = 20  # the oldest are deleted


def begin(user: User, platform: str, browser: str, state: str, secret: str) -> None:
    """Stores `secret` for the callback with this state. `browser` identifies the session that may use it."""
    now = clock.now()
    mine = OAuthState.user_id == user.id
    newest = select(OAuthState.state_hash).where(mine).order_by(OAuthState.expires_at.desc()).limit(MAX_PER_USER - 1)
    db.session.execute(
        delete(OAuthState).where(mine, or_(OAuthState.expires_at <= now, OAuthState.state_hash.not_in(newest)))
    )
    db.session.add(
        OAuthState(
            state_hash=_hash(state),
            user_id=user.id,
            platform=platform,
            browser_hash=_hash(browser),
            encrypted=_cipher(state).encrypt(secret.encode()),
            expires_at=now + LIFETIME,
        )
    )


def take(user: User, platform: str, browser: str, state: str) -> str | None:
    """The secret of a state, once the caller commits: of two callbacks at the same time one gets None.

    None too for a state that has expired, or was begun by another user, in another browser or for another platform.
    """
    encrypted = db.session.scalar(
        delete(OAuthState)
        .where(
            OAuthState.state_hash == _hash(state),
            OAuthState.user_id == user.id,
            OAuthState.platform == platform,
            OAuthState.browser_hash == _hash(browser),
            OAuthState.expires_at > clock.now(),
        )
        .returning(OAuthState.encrypted)
    )
    return None if encrypted is None else _cipher(state).decrypt(encrypted).decode()


def sweep() -> None:
    db.session.execute(delete(OAuthState).where(OAuthState.expires_at <= clock.now()))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _cipher(state: str) -> Fernet:
    """Its key needs the state, of which the database has only the hash, and SECRET_KEY. The vault is no help: the web
    cannot open what it seals.
    """
    key = hmac.digest(current_app.config["SECRET_KEY"].encode(), f"consent: {state}".encode(), "sha256")
    return Fernet(base64.urlsafe_b64encode(key))
