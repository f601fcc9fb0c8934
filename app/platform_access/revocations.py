"""A disconnected account's token, for the short time until its platform has revoked it."""

from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import delete, func, select, update

from app import clock
from app.db import db, transaction
from app.models import LIVE, REVOCATION_KEPT, WITH_DELETED, PlatformConnection, Publication, Revocation
from app.models.claim import claim
from app.models.types import CLOCK_MARGIN, is_due
from app.platform_access import tokens
from app.platform_access.lease_times import AFTER_DEADLINE, LONGEST_LEASE
from app.platform_access.rate_limits import paced_adapter
from app.platforms.base import Token
from app.platforms.errors import PlatformError, RateLimited, Unavailable
from app.vault import CannotOpen

log = structlog.get_logger(__name__)

# Between two tries, and longer than one of them takes.
_TRY_AGAIN = timedelta(minutes=1)
# What a revocation waits for: the next try, or the end of a send.
_FARTHEST = max(_TRY_AGAIN, LONGEST_LEASE + AFTER_DEADLINE)


def keep(connection: PlatformConnection) -> None:
    """To be called before the connection is deleted; the caller commits.

    A commit that is in flight is let finish: the token stays good until no process can be sending with it.
    """
    if connection.sealed_token is None:
        return
    sending_until = db.session.scalar(
        select(func.max(Publication.in_doubt_until)).where(
            Publication.connection_id == connection.id,
            Publication.status.in_(LIVE),
            Publication.lease_until.is_not(None),
        )
    )
    now = clock.now()
    db.session.add(
        Revocation(
            platform=connection.platform,
            sealed_token=connection.sealed_token,
            sealed_for=connection.sealed_for,
            wake_at=max(now, min(sending_until, now + LONGEST_LEASE) + AFTER_DEADLINE) if sending_until else now,
        )
    )


def due() -> list[int]:
    return list(db.session.scalars(select(Revocation.id).where(is_due(Revocation.wake_at, clock.now(), _FARTHEST))))


def sweep() -> None:
    """Whatever came of it: the token is gone in time, and a clock that was ahead gives it no more."""
    now = clock.now()
    longest = now + REVOCATION_KEPT
    with transaction():
        db.session.execute(delete(Revocation).where(Revocation.expires_at <= now))
        too_long = update(Revocation).where(Revocation.expires_at > longest + CLOCK_MARGIN)
        db.session.execute(too_long.values(expires_at=longest))


def revoke(revocation_id: int) -> None:
    """Revokes the token at the platform; what it does not answer is tried again until the row is swept."""
    now = clock.now()
    due = (Revocation.expires_at > now, is_due(Revocation.wake_at, now, _FARTHEST))
    with transaction():
        row = claim(Revocation, revocation_id, *due, lease=_TRY_AGAIN)
    if row is None:
        return
    try:
        token = tokens.open_token(row)
    except CannotOpen as error:
        log.error("a token to be revoked cannot be opened", platform=row.platform, error=str(error))
        return
    if _is_shared(row.platform, token):
        log.info("another account uses the same token: it stays", platform=row.platform)
    elif not _revoke(row, token):
        return
    with transaction():
        db.session.execute(delete(Revocation).where(Revocation.id == revocation_id))


def _is_shared(platform: str, token: Token) -> bool:
    """Whether a connection that is there, or can be taken back, has the same token: revoking would break it.

    One bot serves several channels, and a platform may give the same token for a second consent.
    """
    with transaction():
        others = select(PlatformConnection).filter_by(platform=platform)
        others = others.where(PlatformConnection.sealed_token.is_not(None))
        return any(_has(other, token) for other in db.session.scalars(others.execution_options(**WITH_DELETED)))


def _has(connection: PlatformConnection, other: Token) -> bool:
    """False for a token that cannot be opened: no publication can use it either."""
    try:
        one = tokens.open_token(connection)
    except CannotOpen as error:
        log.error("a token cannot be opened", connection=connection.id, error=str(error))
        return False
    return one.access == other.access or (one.refresh is not None and one.refresh == other.refresh)


def _revoke(row: Revocation, token: Token) -> bool:
    """False where it has to be tried again. A platform that refuses the token does not take it any more."""
    adapter = paced_adapter(row.platform)
    try:
        if token.refresh and token.expires_at and token.expires_at <= clock.now():
            # Only a token that is good can be given back. The old pair is spent then: a next try needs the new one.
            token = adapter.refresh(token)
            _change(row, sealed_token=tokens.seal(token, row.sealed_for))
        adapter.revoke(token)
    except (Unavailable, RateLimited) as error:
        log.warning("a token is not revoked yet", reason=error.reason)
        if isinstance(error, RateLimited):
            _change(row, wake_at=error.until)
        return False
    except PlatformError as error:
        log.info("the platform takes the token no longer", reason=error.reason)
    return True


@transaction()
def _change(row: Revocation, **values: Any) -> None:
    db.session.execute(update(Revocation).where(Revocation.id == row.id).values(values))
