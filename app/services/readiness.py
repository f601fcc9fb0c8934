"""Whether this process can use what it needs. The texts of errors go to the log, never to a client."""

from collections.abc import Callable

import redis
import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db import db, end_reading
from app.redis_client import redis_client
from app.storage import StorageUnavailable, storage

log = structlog.get_logger(__name__)


def _database() -> None:
    db.session.execute(text("SELECT 1"))
    end_reading()


CHECKS: dict[str, Callable[[], object]] = {
    "database": _database,
    "redis": lambda: redis_client().ping(),
    "storage": lambda: storage().check(),
}


def state() -> dict[str, bool]:
    """For each part whether it can be used now. Returns within seconds."""
    works = dict.fromkeys(CHECKS, True)
    for name, check in CHECKS.items():
        try:
            check()
        except (SQLAlchemyError, redis.RedisError, StorageUnavailable) as error:
            log.error("not ready", part=name, error=type(error).__name__, said=str(error)[:500])
            works[name] = False
    return works
