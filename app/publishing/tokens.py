"""A connection's token: sealed by whoever has it, opened and refreshed only by workers."""

import json
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import or_, update

from app import clock
from app.extensions import db, insist, transaction
from app.models import PlatformConnection
from app.platforms.base import Adapter, Token
from app.platforms.errors import RateLimited, Reconnect
from app.vault import Vault

# A token that runs out within this is refreshed before it is used.
SOON = timedelta(minutes=5)
# Outlasts one call to the platform; a worker that died in it does not block the others for long.
_REFRESH_LEASE = timedelta(seconds=60)
_LOOK_AGAIN = timedelta(seconds=2)


def seal_token(connection: PlatformConnection, token: Token) -> None:
    """Puts the token into the row (which must have its id already)."""
    vault: Vault = current_app.extensions["vault"]
    plain = {
        "access": token.access,
        "refresh": token.refresh,
        "expires_at": token.expires_at and token.expires_at.isoformat(),
        "extra": dict(token.extra),
    }
    connection.sealed_token = vault.seal(json.dumps(plain).encode(), connection.sealed_for)
    connection.token_expires_at = token.expires_at


def open_token(connection: PlatformConnection) -> Token:
    """Raises vault.CannotOpen."""
    vault: Vault = current_app.extensions["vault"]
    plain = json.loads(vault.open(connection.sealed_token, connection.sealed_for))
    expires_at = plain["expires_at"] and datetime.fromisoformat(plain["expires_at"])
    return Token(plain["access"], plain["refresh"], expires_at, plain["extra"])


def runs_out_soon(token: Token) -> bool:
    return bool(token.refresh and token.expires_at and token.expires_at < clock.now() + SOON)


def refresh(connection_id: int, adapter: Adapter, used: Token) -> Token:
    """A token newer than `used`, asked for once however many want it.

    Whoever holds the lease on the connection's row asks the platform; the new pair is stored before it is used.
    Raises RateLimited while another is asking, Reconnect where the platform gives none.
    """
    now = clock.now()
    free = or_(PlatformConnection.refresh_until.is_(None), PlatformConnection.refresh_until < now)
    with transaction():
        mine = db.session.execute(
            update(PlatformConnection)
            .where(PlatformConnection.id == connection_id, free)
            .values(refresh_until=now + _REFRESH_LEASE)
        ).rowcount
        connection = db.session.get(PlatformConnection, connection_id)
        if connection is None:
            raise Reconnect("аккаунт отключён")
        stored = open_token(connection)
        if stored.access != used.access:
            connection.refresh_until = None if mine else connection.refresh_until
            return stored
    if not mine:
        raise RateLimited(now + _LOOK_AGAIN)
    try:
        fresh = adapter.refresh(stored)
    except Exception:
        _end_refresh(connection_id)
        raise
    # The old refresh token may be spent: losing the new pair would cost the user a new consent.
    insist(lambda: _end_refresh(connection_id, fresh))
    return fresh


def _end_refresh(connection_id: int, fresh: Token | None = None) -> None:
    with transaction():
        connection = db.session.get(PlatformConnection, connection_id)
        if connection is None:
            return
        if fresh:
            seal_token(connection, fresh)
        connection.refresh_until = None
