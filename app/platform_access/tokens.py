"""A connection's token: sealed by whoever has it, opened and refreshed only by workers."""

import json
from datetime import datetime, timedelta

import structlog
from flask import current_app
from sqlalchemy import or_, select, update

from app import clock
from app.db import db, retry_while_db_down, transaction
from app.models import ConnectionStatus, PlatformConnection, Revocation, record_event
from app.models.types import is_due
from app.platform_access.rate_limits import paced_adapter
from app.platforms.base import Adapter, Token
from app.platforms.errors import Paced, PlatformError, RateLimited, Reconnect, TokenExpired
from app.vault import Vault

log = structlog.get_logger(__name__)

# A token that runs out within this is refreshed before it is used.
SOON = timedelta(minutes=5)
# The tick refreshes when this much of a token's life is over: VK's hour leaves 12 minutes, Yandex's year 10 weeks.
_OLD = 0.8
# Outlasts one call to the platform; a worker that died in it does not block the others for long.
_REFRESH_LEASE = timedelta(seconds=60)
_LOOK_AGAIN = timedelta(seconds=2)
# The tick tries again this much later where the platform did not answer.
_TRY_AGAIN = timedelta(minutes=1)
_MOST_AT_ONCE = 500


def seal_token(connection: PlatformConnection, token: Token) -> None:
    """Puts the token into the row (which must have its id already)."""
    connection.sealed_token = seal(token, connection.sealed_for)
    connection.token_expires_at = token.expires_at
    now = clock.now()
    connection.token_refresh_at = token.expires_at and now + _OLD * (token.expires_at - now)


def seal(token: Token, bound_to: str) -> bytes:
    vault: Vault = current_app.extensions["vault"]
    plain = {
        "access": token.access,
        "refresh": token.refresh,
        "expires_at": token.expires_at and token.expires_at.isoformat(),
        "extra": dict(token.extra),
    }
    return vault.seal(json.dumps(plain).encode(), bound_to)


def open_token(connection: PlatformConnection) -> Token:
    """Raises vault.CannotOpen."""
    return open_sealed(connection.sealed_token, connection.sealed_for)


def open_sealed(sealed: bytes, bound_to: str) -> Token:
    """Raises vault.CannotOpen."""
    vault: Vault = current_app.extensions["vault"]
    plain = json.loads(vault.open(sealed, bound_to))
    expires_at = plain["expires_at"] and datetime.fromisoformat(plain["expires_at"])
    return Token(plain["access"], plain["refresh"], expires_at, plain["extra"])


def runs_out_soon(token: Token) -> bool:
    return bool(token.refresh and token.expires_at and token.expires_at < clock.now() + SOON)


# Refreshing


def refresh(connection_id: int, adapter: Adapter, used: Token) -> Token:
    """A token newer than `used`, asked for once however many want it.

    Whoever holds the lease on the connection's row asks the platform; the new pair is stored before it is used.
    Raises Paced while another is asking, Reconnect where the platform gives none or the account is gone.
    """
    now = clock.now()
    lease = PlatformConnection.refresh_until
    free = or_(lease.is_(None), is_due(lease, now, _REFRESH_LEASE))
    with transaction():
        mine = db.session.execute(
            update(PlatformConnection)
            .where(PlatformConnection.id == connection_id, free)
            .values(refresh_until=now + _REFRESH_LEASE)
        ).rowcount
        connection = db.session.get(PlatformConnection, connection_id)
        if connection is None:
            raise Reconnect("аккаунт отключён")
        stored, sealed = open_token(connection), connection.sealed_token
        if stored != used:
            connection.refresh_until = None if mine else connection.refresh_until
            return stored
    if not mine:
        raise Paced(now + _LOOK_AGAIN)
    try:
        fresh = adapter.refresh(stored)
    except Exception as error:
        renewed = _end_refresh(connection_id, sealed)
        if renewed and isinstance(error, Reconnect):
            return renewed
        raise
    # The old refresh token may be spent: losing the new pair would cost the user a new consent.
    kept = retry_while_db_down(lambda: _end_refresh(connection_id, sealed, fresh))
    if kept is None:
        _let_go(connection_id, adapter.key, fresh)
        raise Reconnect
    return kept


def _end_refresh(connection_id: int, sealed: bytes, fresh: Token | None = None) -> Token | None:
    """Gives the lease back and stores `fresh` in the place of `sealed`; answers it, None where the account is gone.

    What the user has renewed meanwhile by connecting again stands, and is answered instead.
    """
    with transaction():
        connection = db.session.get(PlatformConnection, connection_id, with_for_update=True)
        if connection is None:
            return None
        connection.refresh_until = None
        if connection.sealed_token != sealed:
            return open_token(connection)
        if fresh:
            seal_token(connection, fresh)
        return fresh


def _let_go(connection_id: int, platform: str, token: Token) -> None:
    """The account was disconnected while its token was being refreshed: the platform is told about the new one too."""
    bound_to = PlatformConnection(id=connection_id).sealed_for
    with transaction():
        db.session.add(Revocation(platform=platform, sealed_token=seal(token, bound_to), sealed_for=bound_to))


def require_reconnect(connection_id: int, used: Token) -> bool:
    """The platform wants `used` no longer: the account's user must connect it again, and is told so.

    False where that is settled already: a newer token is stored, or the account is disconnected.
    """
    with transaction():
        connection = db.session.get(PlatformConnection, connection_id, with_for_update=True)
        if connection is None or open_token(connection) != used:
            return False
        if connection.status == ConnectionStatus.ACTIVE:
            connection.status, connection.reason = ConnectionStatus.RECONNECT, "reconnect"
            connection.token_refresh_at = None
            facts = {"platform": connection.platform, "account": connection.account_name}
            record_event(connection.user_id, "connection.reconnect", facts, connection_id=connection.id)
        return True


# Before it runs out


def due_refreshes() -> list[int]:
    """Ids of connections whose token has grown old."""
    refresh_at = PlatformConnection.token_refresh_at
    old = (PlatformConnection.status == ConnectionStatus.ACTIVE, refresh_at <= clock.now())
    return list(db.session.scalars(select(PlatformConnection.id).where(*old).order_by(refresh_at).limit(_MOST_AT_ONCE)))


def refresh_due(connection_id: int) -> None:
    """Refreshes an old token. Does nothing where another job has done it, or is at it."""
    with transaction():
        connection = db.session.get(PlatformConnection, connection_id)
        if connection is None or connection.status != ConnectionStatus.ACTIVE:
            return
        due, now = connection.token_refresh_at, clock.now()
        if due is None or due > now:
            return
        # Whatever goes wrong below (a token that cannot be opened, a fault of ours): the others get their turn first.
        connection.token_refresh_at = now + _TRY_AGAIN
        platform, sealed, bound_to = connection.platform, connection.sealed_token, connection.sealed_for
    token = open_sealed(sealed, bound_to)
    try:
        refresh(connection_id, paced_adapter(platform), token)
    except Paced:
        return
    except (Reconnect, TokenExpired):
        require_reconnect(connection_id, token)
    except PlatformError as error:
        log.warning("a token could not be refreshed yet", connection=connection_id, reason=error.reason)
        if isinstance(error, RateLimited):
            with transaction():
                db.session.execute(
                    update(PlatformConnection)
                    .where(PlatformConnection.id == connection_id, PlatformConnection.sealed_token == sealed)
                    .values(token_refresh_at=error.until)
                )
