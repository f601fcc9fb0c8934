"""«Безопасность»: sign-ins and what was changed, as the user sees it. Lines are deleted with their user, and after half
a year.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

from sqlalchemy import delete, or_, select

from app import clock
from app.db import db
from app.models import AuditEvent, User

KEPT = timedelta(days=180)
# Sign-ins with unknown e-mails: only operators see these, and not for long.
KEPT_WITHOUT_USER = timedelta(days=30)
SHOWN = 100
MAX_DETAIL, MAX_ADDRESS = 300, 45

# Where the request comes from; None in an operator's command.
client_ip: ContextVar[str | None] = ContextVar("client_ip", default=None)


@contextmanager
def on_behalf_of(address: str | None) -> Iterator[None]:
    """What a worker does in answer to a request from there."""
    before = client_ip.set(address)
    try:
        yield
    finally:
        client_ip.reset(before)


def record(user_id: int | None, kind: str, detail: str = "") -> None:
    """Adds a line. `kind` is a key of texts.SECURITY, `detail` never a secret."""
    address = client_ip.get()
    address = address and address[:MAX_ADDRESS]  # a proxy may hand on more than an address
    db.session.add(AuditEvent(user_id=user_id, kind=kind, detail=detail[:MAX_DETAIL], address=address))


def latest(user: User) -> list[AuditEvent]:
    newest_first = select(AuditEvent).where(AuditEvent.user_id == user.id).order_by(AuditEvent.id.desc())
    return list(db.session.scalars(newest_first.limit(SHOWN)))


def sweep() -> int:
    """Deletes old lines; returns how many."""
    now = clock.now()
    old = or_(
        AuditEvent.at < now - KEPT,
        AuditEvent.user_id.is_(None) & (AuditEvent.at < now - KEPT_WITHOUT_USER),
    )
    return db.session.execute(delete(AuditEvent).where(old)).rowcount
