"""How often a key of the HTTP API may be used, counted in Redis in windows of a minute."""

import time
from dataclasses import dataclass

import redis
import structlog
from flask import current_app

from app.redis_client import redis_client

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60


@dataclass(frozen=True)
class Budget:
    """Of `quota` requests in a window so many are `left`, and after so many `seconds` there are all again."""

    quota: int
    left: int
    seconds: int
    is_used_up: bool


def hit(key_id: int) -> Budget | None:
    """Counts a request. None without Redis: then nothing is limited."""
    quota = current_app.config["API_REQUESTS_PER_MINUTE"]
    window, passed = divmod(int(time.time()), WINDOW_SECONDS)
    name = f"api:requests:{key_id}:{window}"
    try:
        pipeline = redis_client().pipeline()
        pipeline.incr(name)
        pipeline.expire(name, 2 * WINDOW_SECONDS)
        count = pipeline.execute()[0]
    except redis.RedisError as error:
        log.warning("requests are not counted", error=type(error).__name__)
        return None
    if count > quota:
        log.warning("too many requests", refusal="limit", limit="api-key")
    return Budget(quota, max(quota - count, 0), WINDOW_SECONDS - passed, count > quota)
