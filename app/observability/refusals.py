"""Refusals of what no honest client does, told apart and counted for all processes together.

A line of the log that has `refusal=` is counted, wherever it is written: in Redis, since processes come and go. Without
Redis the line is all there is.
"""

from collections.abc import MutableMapping
from typing import Any

import redis
from flask import has_app_context

from app.redis_client import redis_client

KINDS = (
    "host",
    "button",
    "csrf",
    "limit",
    "password",
    "code",
    "passkey",
    "metrics_token",
    "api_key",
    "forbidden_address",
    "forged_link",
    "foreign_job",
)
_KEY = "refusals"


def count(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of the log."""
    if (kind := event.get("refusal")) and has_app_context():
        try:
            redis_client().hincrby(_KEY, kind, 1)
        except redis.RedisError as error:
            event["uncounted"] = type(error).__name__
    return event


def totals() -> dict[str, int] | None:
    """By kind, since Redis was last emptied; None where it is away."""
    try:
        found = redis_client().hgetall(_KEY)
    except redis.RedisError:
        return None
    return {kind: int(found.get(kind.encode(), 0)) for kind in KINDS}
