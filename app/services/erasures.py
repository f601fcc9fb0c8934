"""Files that are to be erased from the storage: written down with the deletion of what referred to them, so that a
storage that is away at that moment keeps nothing for ever.
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog
from sqlalchemy import delete, insert, select, update

from app import clock
from app.db import db
from app.models import Erasure
from app.storage import StorageUnavailable, storage

log = structlog.get_logger(__name__)

TRY_AGAIN = timedelta(minutes=5)
_MOST_AT_ONCE = 500


def plan(keys: Sequence[str]) -> None:
    """To be called in the transaction that deletes what refers to the files; the caller commits."""
    if keys:
        wake_at = clock.now() + TRY_AGAIN
        db.session.execute(insert(Erasure), [{"key": key, "wake_at": wake_at} for key in keys])


def carry_out(keys: Sequence[str]) -> None:
    """Erases planned files now; to be called after the commit. What cannot be erased is tried again by `due()`."""
    for key in keys:
        if not _erase(key):
            return


def due() -> list[int]:
    found = select(Erasure.id).where(Erasure.wake_at <= clock.now()).order_by(Erasure.wake_at).limit(_MOST_AT_ONCE)
    return list(db.session.scalars(found))


def retry(erasure_id: int) -> None:
    """Safe to be called twice: deleting a file that is gone is fine."""
    key = db.session.scalar(
        update(Erasure)
        .where(Erasure.id == erasure_id, Erasure.wake_at <= clock.now())
        .values(wake_at=clock.now() + TRY_AGAIN)
        .returning(Erasure.key)
    )
    db.session.commit()
    if key is not None:
        _erase(key)


def _erase(key: str) -> bool:
    try:
        storage().delete(key)
    except (StorageUnavailable, OSError) as error:
        log.warning("a file could not be erased yet", error=str(error))
        return False
    db.session.execute(delete(Erasure).where(Erasure.key == key))
    db.session.commit()
    return True
