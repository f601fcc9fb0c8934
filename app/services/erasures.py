"""Files to be erased from the storage. Each is a row, written with the deletion of what referred to the file, so that a
storage that is away at that moment does not keep it for ever.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import delete, insert, select

from app import clock, queue
from app.db import after_commit, db
from app.models import Erasure
from app.models.claim import claim
from app.storage import StorageUnavailable, storage

log = structlog.get_logger(__name__)

RETRY_PAUSE = timedelta(minutes=5)
_BATCH = 500


def plan(keys: Sequence[str]) -> None:
    """In the transaction that deletes what refers to the files; they are erased after its commit."""
    if keys:
        wake_at = clock.now() + RETRY_PAUSE
        db.session.execute(insert(Erasure), [{"key": key, "wake_at": wake_at} for key in keys])
        after_commit(partial(carry_out, keys))


def hand_over(keys: Sequence[str]) -> None:
    """As `plan()`, but a worker erases them: for a periodic task, which must not wait for a storage."""
    rows = [{"key": key, "wake_at": clock.now()} for key in keys]
    ids = db.session.scalars(insert(Erasure).returning(Erasure.id), rows).all()
    after_commit(partial(queue.enqueue, "app.jobs.erase_file", *ids))


def carry_out(keys: Sequence[str]) -> None:
    """Erases planned files, up to the first that cannot be erased: the rest are due again later.

    Their rows go in a transaction of its own, beside the session's.
    """
    gone = []
    for key in keys:
        try:
            storage().delete(key)  # a file that is gone already is no error
        except (StorageUnavailable, OSError) as error:
            log.warning("a file could not be erased yet", error=str(error))
            break
        gone.append(key)
    if gone:
        with db.engine.begin() as connection:
            connection.execute(delete(Erasure).where(Erasure.key.in_(gone)))


def due() -> list[int]:
    found = select(Erasure.id).where(Erasure.wake_at <= clock.now()).order_by(Erasure.wake_at).limit(_BATCH)
    return list(db.session.scalars(found))


def claim_due(erasure_id: int) -> Erasure | None:
    """The row, if it is due, and not due again before RETRY_PAUSE is over."""
    return claim(Erasure, erasure_id, Erasure.wake_at <= clock.now(), lease=RETRY_PAUSE)
