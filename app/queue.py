"""The queues. With worker.py the only file that knows RQ.

A job is a wake-up: a dotted name and an id. Losing it or getting it twice does no harm, the row decides.
"""

from datetime import datetime

import redis
import structlog
from rq import Queue
from rq.serializers import JSONSerializer

from app import clock
from app.extensions import redis_client

log = structlog.get_logger(__name__)

PUBLISH = "publish"
CLIPS = "clips"
CHORES = "chores"  # small things that must not wait for uploads
STATS = "stats"
TICKS = "ticks"

SERIALIZER = JSONSerializer

JOBS = {
    "app.jobs.publish": PUBLISH,
    "app.jobs.probe": CLIPS,
    "app.jobs.mail_recovery": CHORES,
    "app.jobs.remove_old": CLIPS,
    "app.jobs.refresh_token": CHORES,
    "app.jobs.revoke_token": CHORES,
    "app.jobs.mail_notice": CHORES,
    "app.jobs.read_stats": STATS,
}

# Uploads take as long as they take; a work-horse's own deadline is its lease.
_NO_TIMEOUT = -1
_KEEP_FAILED_SECONDS = 24 * 3600
_KEPT_SINCE = "vezde:kept-since"


def queue(name: str) -> Queue:
    return Queue(name, connection=redis_client(), serializer=SERIALIZER)


def state(name: str) -> tuple[int, datetime] | None:
    """How many jobs wait there, and since when this Redis has kept them: what was put in earlier is lost.

    None where Redis is away.
    """
    client = redis_client()
    try:
        client.set(_KEPT_SINCE, clock.now().isoformat(), nx=True)
        since = client.get(_KEPT_SINCE)
        return (queue(name).count, datetime.fromisoformat(since.decode())) if since else None
    except redis.RedisError:
        return None


def enqueue(job: str, *ids: int) -> bool:
    """A job for each id. False where Redis is away: the tick sends them later."""
    target = queue(JOBS[job])
    try:
        target.enqueue_many(
            [
                Queue.prepare_data(
                    job, args=(row_id,), timeout=_NO_TIMEOUT, result_ttl=0, failure_ttl=_KEEP_FAILED_SECONDS
                )
                for row_id in ids
            ]
        )
    except redis.RedisError as error:
        log.warning("queue is away", job=job, error=type(error).__name__)
        return False
    return True


def lengths() -> dict[str, int] | None:
    """How many wake-ups lie in each queue; None where Redis is away."""
    try:
        return {name: queue(name).count for name in (PUBLISH, CLIPS, CHORES, STATS, TICKS)}
    except redis.RedisError as error:
        log.warning("queues cannot be counted", error=type(error).__name__)
        return None
