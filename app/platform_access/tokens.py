"""A connection's token: sealed by every process, opened and refreshed only by workers."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from flask import current_app
from sqlalchemy import or_, select, update

from app import clock, platforms
from app.db import db, retry_while_db_down, transaction
from app.models import WITH_DELETED, ConnectionStatus, PlatformConnection, Revocation, record_event
from app.models.claim import claim
from app.models.types import is_due
from app.platform_access.account_info import account_of
from app.platform_access.rate_limits import paced_adapter
from app.platforms.base import Account, Adapter, Token
from app.platforms.errors import Paced, PlatformError, RateLimited, Reconnect, TokenExpired
from app.vault import CannotOpen

log = structlog.get_logger(__name__)
T = TypeVar("T")

# A token that runs out within this is refreshed before it is used.
_SOON = timedelta(minutes=5)
# The tick refreshes when this much of a token's life is over: VK's hour leaves 12 minutes, Yandex's year 10 weeks.
_OLD = 0.8
# Outlasts one call to the platform; a worker that ended in it does not block the others for long.
_REFRESH_LEASE = timedelta(seconds=60)
_ASK_AGAIN = timedelta(seconds=2)
# Before the next try where the platform did not answer.
_TRY_AGAIN = timedelta(minutes=1)
# The same where the token was only to be kept alive: it lives for many turns more.
_KEEP_ALIVE_AGAIN = timedelta(hours=1)
_MOST_AT_ONCE = 500


def seal_token(connection: PlatformConnection, token: Token) -> None:
    """Puts the token into the row (which must have its id already)."""
    connection.sealed_token = seal(token, connection.sealed_for)
    connection.token_expires_at = token.expires_at
    connection.token_refresh_at = _next_turn(connection.platform, token)


def _next_turn(platform: str, token: Token) -> datetime | None:
    """When the tick is to see to the token: before it has grown old, and as often as its platform wants to see it."""
    now, every = clock.now(), platforms.ADAPTERS[platform].keep_alive_every
    turns = (token.expires_at and now + _OLD * (token.expires_at - now), every and now + every)
    return min(filter(None, turns), default=None)


def seal(token: Token, bound_to: str) -> bytes:
    plain = {
        "access": token.access,
        "refresh": token.refresh,
        "expires_at": token.expires_at and token.expires_at.isoformat(),
        "extra": dict(token.extra),
    }
    return current_app.extensions["vault"].seal(json.dumps(plain).encode(), bound_to)


def open_token(row: PlatformConnection | Revocation) -> Token:
    """Raises vault.CannotOpen."""
    plain = json.loads(current_app.extensions["vault"].open(row.sealed_token, row.sealed_for))
    expires_at = plain["expires_at"] and datetime.fromisoformat(plain["expires_at"])
    return Token(plain["access"], plain["refresh"], expires_at, plain["extra"])


# Using it


class TokenReplaced(PlatformError):
    """The platform refused a token that is not the connection's any more: connected again meanwhile, or disconnected.

    With what is stored now the call may do.
    """


def with_fresh_token(connection: PlatformConnection, call: Callable[[Adapter, Account, Token], T]) -> T:
    """`call(adapter, account, token)` with a token that does not run out soon; once more with a fresh one where the
    call raises TokenExpired.

    Where the platform refuses the token for good, the connection is marked and Reconnect or TokenExpired raised;
    TokenReplaced where another token is stored by now. Raises vault.CannotOpen.
    """
    adapter, account = paced_adapter(connection.platform), account_of(connection)
    token = open_token(connection)
    try:
        if token.refresh and token.expires_at and token.expires_at < clock.now() + _SOON:
            token = refresh(connection.id, adapter, token)
        try:
            return call(adapter, account, token)
        except TokenExpired:
            token = refresh(connection.id, adapter, token)
            return call(adapter, account, token)
    except (Reconnect, TokenExpired):
        if require_reconnect(connection.id, token):
            raise
        raise TokenReplaced("reconnect") from None


# Refreshing


def refresh(connection_id: int, adapter: Adapter, used: Token) -> Token:
    """A token newer than `used`, asked for once however many want it.

    The holder of the lease on the connection's row asks the platform; the new pair is stored before it is used.
    Raises Paced while another is asking, Reconnect where the platform gives none or the account is gone.
    """
    lease = PlatformConnection.refresh_until
    free = or_(lease.is_(None), is_due(lease, clock.now(), _REFRESH_LEASE))
    with transaction():
        holder = _lease_holder(connection_id, used)
        claimed = claim(PlatformConnection, holder, free, lease=_REFRESH_LEASE, column="refresh_until")
        fresh_row = {"populate_existing": True, "execution_options": WITH_DELETED}
        connection = db.session.get(PlatformConnection, connection_id, **fresh_row)
        if connection is None:
            raise Reconnect("аккаунт отключён")
        stored, sealed = open_token(connection), connection.sealed_token
    if stored != used:
        if claimed:
            _end_refresh(connection_id, holder, sealed)
        return stored
    if claimed is None:
        raise Paced(clock.now() + _ASK_AGAIN)
    try:
        fresh = adapter.refresh(stored)
    except Exception as error:
        renewed = _end_refresh(connection_id, holder, sealed)
        if renewed and isinstance(error, Reconnect):
            return renewed
        raise
    # The old refresh token may be spent: losing the new pair would cost the user a new consent.
    kept = retry_while_db_down(lambda: _end_refresh(connection_id, holder, sealed, fresh))
    if kept is None:  # disconnected meanwhile: the new token is revoked too
        bound_to = PlatformConnection(id=connection_id).sealed_for
        with transaction():
            db.session.add(Revocation(platform=adapter.key, sealed_token=seal(fresh, bound_to), sealed_for=bound_to))
        raise Reconnect
    return kept


def _lease_holder(connection_id: int, used: Token) -> int:
    """The id of the row whose lease counts: one for all connections that have the token in common."""
    return min([connection_id, *(one.id for one in _sharing(connection_id, used))])


def _sharing(connection_id: int, token: Token) -> list[PlatformConnection]:
    """The other connections that were made with the same token, those too whose end can be taken back.

    A refresh token is good for one refresh: what it gives is all of theirs.
    """
    connection = db.session.get(PlatformConnection, connection_id, execution_options=WITH_DELETED)
    if connection is None or not token.refresh:
        return []
    others = select(PlatformConnection).where(
        PlatformConnection.user_id == connection.user_id,
        PlatformConnection.platform == connection.platform,
        PlatformConnection.id != connection_id,
        PlatformConnection.sealed_token.is_not(None),
    )
    found = db.session.scalars(others.order_by(PlatformConnection.id).execution_options(**WITH_DELETED))
    return [one for one in found if _opens_to(one, token)]


def _opens_to(connection: PlatformConnection, token: Token) -> bool:
    try:
        return open_token(connection) == token
    except CannotOpen:  # its own refresh says so
        return False


def _end_refresh(connection_id: int, holder: int, sealed: bytes, fresh: Token | None = None) -> Token | None:
    """Gives the lease back and stores `fresh` in the place of `sealed`; returns it, None where the account is gone.

    What the user has renewed meanwhile by connecting again stands, and is returned instead.
    """
    with transaction():
        db.session.execute(update(PlatformConnection).filter_by(id=holder).values(refresh_until=None))
        # Of a disconnected one too, for as long as that can be taken back.
        connection = db.session.get(
            PlatformConnection,
            connection_id,
            with_for_update=True,
            populate_existing=True,
            execution_options=WITH_DELETED,
        )
        if connection is None:
            return None
        if connection.sealed_token != sealed:
            return open_token(connection)
        if fresh:
            for one in (*_sharing(connection_id, open_token(connection)), connection):
                seal_token(one, fresh)
        return fresh


def require_reconnect(connection_id: int, used: Token) -> bool:
    """The platform refuses `used`: the account's user must connect it again, and is notified.

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
    """Ids of connections whose token has grown old, or has to be kept alive."""
    refresh_at = PlatformConnection.token_refresh_at
    old = (PlatformConnection.status == ConnectionStatus.ACTIVE, refresh_at <= clock.now())
    return list(db.session.scalars(select(PlatformConnection.id).where(*old).order_by(refresh_at).limit(_MOST_AT_ONCE)))


def refresh_due(connection_id: int) -> None:
    """Refreshes an old token or keeps it alive. Does nothing where another job has done it, or is at it."""
    old = PlatformConnection.token_refresh_at <= clock.now()
    active = PlatformConnection.status == ConnectionStatus.ACTIVE
    with transaction():
        # Whatever goes wrong below (a token that cannot be opened, a fault of ours): the others get their turn first.
        connection = claim(PlatformConnection, connection_id, active, old, lease=_TRY_AGAIN, column="token_refresh_at")
    if connection is None:
        return
    token = open_token(connection)
    lives_on = _lives_on(connection.platform, token)
    try:
        if lives_on:
            with_fresh_token(connection, lambda adapter, _account, fresh: adapter.keep_alive(fresh))
            _set_turn(connection, _next_turn(connection.platform, token))
        else:
            refresh(connection_id, paced_adapter(connection.platform), token)
    except (Paced, TokenReplaced):
        return
    except (Reconnect, TokenExpired):
        require_reconnect(connection_id, token)
    except PlatformError as error:
        log.warning("a token could not be refreshed yet", connection=connection_id, reason=error.reason)
        if isinstance(error, RateLimited):
            _set_turn(connection, error.until)
        elif lives_on:
            _set_turn(connection, clock.now() + _KEEP_ALIVE_AGAIN)


def _lives_on(platform: str, token: Token) -> bool:
    """Whether using the token is enough for now."""
    every = platforms.ADAPTERS[platform].keep_alive_every
    return every is not None and (token.expires_at is None or token.expires_at > clock.now() + every)


def _set_turn(connection: PlatformConnection, at: datetime | None) -> None:
    """Unless another token is stored by now, which has a turn of its own."""
    with transaction():
        same = update(PlatformConnection).filter_by(id=connection.id, sealed_token=connection.sealed_token)
        db.session.execute(same.values(token_refresh_at=at))
