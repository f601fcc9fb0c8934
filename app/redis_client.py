"""This process's Redis client.

Its time-outs are per read and not a deadline of each command: a Redis that drips on purpose is one that somebody else
runs, and who writes to ours can stop the queues anyway (docs/security.md). Nothing waits for it that holds a row.
"""

from typing import Any

import redis
from flask import Flask, current_app


def redis_client() -> redis.Redis:
    """Commands give up after two seconds: Redis only carries wake-ups."""
    return current_app.extensions["redis"]


def connect_redis(app: Flask) -> None:
    app.extensions["redis"] = redis_from_url(app.config["REDIS_URL"], socket_timeout=2, socket_connect_timeout=2)


def blocking_redis() -> redis.Redis:
    """For workers that wait for jobs: the other client gives up after two seconds. RQ gives this one a time-out that is
    longer than it waits itself.
    """
    return redis_from_url(current_app.config["REDIS_URL"])


def redis_from_url(url: str, **options: Any) -> redis.Redis:
    """`driver_info`: else each new connection looks up the version of its own package, 3 ms in every work horse."""
    return redis.Redis.from_url(url, health_check_interval=30, driver_info=None, **options)
