"""What a user must be told, written down once a matter, in the transaction that makes it so."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from app import clock, mail, platforms
from app.db import db
from app.models import Notification, PlatformConnection, Publication, Status

# Statuses that their user must know of; each is a kind of texts.NOTIFICATIONS too.
OF_STATUS = frozenset({Status.FAILED, Status.UNCONFIRMED, Status.AWAITING_USER})
_AT_ONCE = 500  # matters in one query


def tell_of_publication(publication_id: int) -> None:
    """What has just become of it. Each move raises the fence, so that a failure after «Повторить» is a new matter."""
    row = db.session.execute(
        select(
            Publication.user_id,
            Publication.status,
            Publication.fence,
            Publication.platform,
            Publication.account_name,
            Publication.title,
            Publication.reason,
        ).where(Publication.id == publication_id)
    ).one()
    _tell(
        row.user_id,
        kind=row.status,
        dedup_key=f"publication:{publication_id}:{row.status}:{row.fence}",
        facts=_facts(row) | {"reason": row.reason},
        publication_id=publication_id,
    )


def tell_of_connection(connection: PlatformConnection) -> None:
    """It has to be connected again. A connection that is renewed may need it once more, later."""
    _tell(
        connection.user_id,
        kind="reconnect",
        dedup_key=f"connection:{connection.id}:reconnect:{clock.now():%Y%m%d%H%M%S}",
        facts={"platform": platforms.ADAPTERS[connection.platform].name, "account": connection.account_name},
        connection_id=connection.id,
    )


def notify_upcoming(user_id: int, soon: Sequence[tuple[Any, int]]) -> None:
    """The user's publications, as rows, that fall due within so many hours while their account has to be connected
    again. A moved time is a new matter.
    """
    dedup_keys = {f"publication:{one.id}:ahead:{hours}:{one.due_at:%Y%m%d%H%M%S}": one for one, hours in soon}
    known = _told(user_id, list(dedup_keys))
    for dedup_key, one in dedup_keys.items():
        if dedup_key not in known:
            facts = _facts(one) | {"due_at": one.due_at.isoformat()}
            _add(user_id, kind="ahead", dedup_key=dedup_key, facts=facts, publication_id=one.id)


def _facts(publication: Any) -> dict[str, Any]:
    return {
        "platform": platforms.ADAPTERS[publication.platform].name,
        "account": publication.account_name,
        "title": publication.title,
    }


def _tell(user_id: int, *, kind: str, dedup_key: str, facts: Mapping[str, Any], **about: int) -> None:
    if not _told(user_id, [dedup_key]):
        _add(user_id, kind=kind, dedup_key=dedup_key, facts=facts, **about)


def _told(user_id: int, dedup_keys: Sequence[str]) -> set[str]:
    """Those of the matters that the user has been told of."""
    told: set[str] = set()
    for start in range(0, len(dedup_keys), _AT_ONCE):
        some = dedup_keys[start : start + _AT_ONCE]
        told.update(
            db.session.scalars(
                select(Notification.dedup_key).where(Notification.user_id == user_id, Notification.dedup_key.in_(some))
            )
        )
    return told


def _add(user_id: int, *, kind: str, dedup_key: str, facts: Mapping[str, Any], **about: int) -> None:
    by_mail = clock.now() if mail.is_set_up() else None
    db.session.add(
        Notification(user_id=user_id, kind=kind, dedup_key=dedup_key, facts=dict(facts), wake_at=by_mail, **about)
    )
