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


def database() -> None:
    db.session.execute(text("SELECT 1"))
    end_reading()


def queues() -> None:
    redis_client().ping()


def clip_files() -> None:
    storage().check()


CHECKS: dict[str, Callable[[], None]] = {"database": database, "redis": queues, "storage": clip_files}


def state() -> dict[str, bool]:
    """For each part whether it can be used now. Returns within seconds."""
    return {name: _works(name, check) for name, check in CHECKS.items()}


def _works(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except (SQLAlchemyError, redis.RedisError, StorageUnavailable) as error:
        log.error("not ready", part=name, error=type(error).__name__, said=str(error)[:500])
        return False
    return True
