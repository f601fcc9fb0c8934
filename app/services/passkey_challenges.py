"""What an authenticator is to sign: a row for one purpose, one browser and one use, within five minutes."""

import hashlib
import json
import secrets
from datetime import timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from sqlalchemy import Row, delete, select
from webauthn import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException

from app import clock
from app.db import db
from app.models import PasskeyChallenge, User

KEPT = timedelta(minutes=5)
MAX_RESPONSE = 16 << 10  # an attestation is a few kilobytes

# What a challenge is for.
SIGN_IN, PROOF, ADDING = "sign-in", "proof", "adding"

# What `webauthn` and the parsers below it raise at a response that no browser sends.
MALFORMED = (
    *(WebAuthnException, UnsupportedAlgorithm),
    *(ValueError, TypeError, LookupError, AttributeError, RecursionError),
)


def make(purpose: str, browser: str, user: User | None, user_handle: bytes | None = None) -> bytes:
    challenge = secrets.token_bytes(32)
    row = PasskeyChallenge(challenge=challenge, purpose=purpose, browser_hash=_hash(browser), user_handle=user_handle)
    row.user_id, row.expires_at = user.id if user else None, clock.now() + KEPT
    db.session.add(row)
    return challenge


def pending(purpose: str, browser: str, user: User) -> PasskeyChallenge | None:
    return db.session.scalar(select(PasskeyChallenge).where(*_usable(purpose, browser, user)))


def forget(purpose: str, user: User) -> None:
    mine = PasskeyChallenge.user_id == user.id, PasskeyChallenge.purpose == purpose
    db.session.execute(delete(PasskeyChallenge).where(*mine))


def take(purpose: str, browser: str, user: User | None, response: str) -> Row | None:
    """The row that the response names (`challenge`, `user_handle`), used up once the caller commits: of two responses
    at the same time one gets None.
    """
    if len(response) > MAX_RESPONSE:
        return None
    try:
        client_data = json.loads(base64url_to_bytes(json.loads(response)["response"]["clientDataJSON"]))
        challenge = base64url_to_bytes(client_data["challenge"])
        is_framed = client_data.get("crossOrigin", False)
    except MALFORMED:
        return None
    taken = delete(PasskeyChallenge).where(PasskeyChallenge.challenge == challenge, *_usable(purpose, browser, user))
    row = db.session.execute(taken.returning(PasskeyChallenge.challenge, PasskeyChallenge.user_handle)).first()
    return None if is_framed else row


def sweep() -> None:
    db.session.execute(delete(PasskeyChallenge).where(PasskeyChallenge.expires_at <= clock.now()))


def _usable(purpose: str, browser: str, user: User | None) -> tuple:
    now = clock.now()
    return (
        PasskeyChallenge.purpose == purpose,
        PasskeyChallenge.browser_hash == _hash(browser),
        PasskeyChallenge.user_id == (user.id if user else None),
        # Not further away than it can have been put, unless a clock was set back.
        PasskeyChallenge.expires_at.between(now, now + KEPT),
    )


def _hash(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()
