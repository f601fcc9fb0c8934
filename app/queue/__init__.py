"""The queues. With `app.workers` the only package that knows RQ.

A job is a wake-up: a dotted name and an id. Losing it or getting it twice does no harm, the row decides.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import redis
import structlog
from rq import Queue, get_current_job
from rq.exceptions import NoSuchJobError

from app import clock
from app.queue.table import BULK, JOBS, PUBLISH, QUEUES
from app.queue.wake_ups import KEEP_FAILED_SECONDS, NO_TIMEOUT, WakeUp, WakeUpQueue
from app.redis_client import redis_client

log = structlog.get_logger(__name__)

_REDIS_EPOCH = "vezde:kept-since"
# Enough for the workers until the next tick: with more, what is due would be put in again at each tick.
_ENOUGH = 100
# The row's id comes first, so that a queue shows which rows it has without each job being read.
_JOB_ID = re.compile(rb"(\d{1,18})-[0-9a-f]{32}$")


def queue(name: str, connection: redis.Redis | None = None) -> Queue:
    return WakeUpQueue(name, connection=connection or redis_client())


@dataclass(frozen=True)
class Waiting:
    """`ids`: the rows that the `count` wake-ups are for. What was put in before `redis_epoch` is lost: this Redis was
    started empty then.
    """

    count: int
    ids: frozenset[int]
    redis_epoch: datetime


def waiting(*names: str) -> Waiting | None:
    """What lies in these queues; None where Redis is away."""
    client = redis_client()
    try:
        now = clock.now()
        client.set(_REDIS_EPOCH, now.isoformat(), nx=True)
        since = client.get(_REDIS_EPOCH)
        if not since:
            return None
        redis_epoch = datetime.fromisoformat(since.decode())
        if redis_epoch > now:  # by a clock that was ahead
            client.set(_REDIS_EPOCH, now.isoformat())
        job_ids = [job_id for name in names for job_id in client.lrange(queue(name).key, 0, -1)]
        ids = frozenset(int(found[1]) for found in map(_JOB_ID.match, job_ids) if found)
        return Waiting(len(job_ids), ids, min(redis_epoch, now))
    except redis.RedisError:
        return None


def enqueue(job: str, *ids: int, into: str | None = None) -> bool:
    """A job for each id, in the job's own queue or another. False where Redis is away: the tick sends them later."""
    how = {"timeout": NO_TIMEOUT, "result_ttl": 0, "failure_ttl": KEEP_FAILED_SECONDS}
    wake_ups = [Queue.prepare_data(job, (row_id,), job_id=f"{row_id}-{uuid4().hex}", **how) for row_id in ids]
    try:
        queue(into or JOBS[job]).enqueue_many(wake_ups)
    except redis.RedisError as error:
        log.warning("queue is away", job=job, error=type(error).__name__)
        return False
    return True


def has_enough(job: str) -> bool:
    """Whether the job's queue holds so many wake-ups that another one changes nothing. False where Redis is away."""
    try:
        return queue(JOBS[job]).count >= _ENOUGH
    except redis.RedisError:
        return False


def is_waiting(job: str) -> bool:
    """Whether a wake-up lies in the job's queue: one is enough where any serves all. False where Redis is away."""
    try:
        return queue(JOBS[job]).count > 0
    except redis.RedisError:
        return False


def enqueue_publications(first: list[int], others: list[int]) -> bool:
    """`first` go before all `others`. False where Redis is away."""
    return enqueue("app.jobs.publish", *first) and enqueue("app.jobs.publish", *others, into=BULK)


def next_publication() -> int | None:
    """Takes out another wake-up for this work horse: from PUBLISH, or from where its own came from.

    None where none waits, or Redis is away. Should the work horse end with it, the tick sends it again.
    """
    own = get_current_job()
    lanes = dict.fromkeys((PUBLISH, own.origin)) if own else ()
    client = redis_client()
    try:
        for name in lanes:
            while (job_id := client.lpop(queue(name).key)) is not None:
                with suppress(NoSuchJobError):
                    job = WakeUp.fetch(job_id.decode(errors="replace"), connection=client)
                    client.delete(job.key)
                    if job.func_name == "app.jobs.publish":
                        return job.args[0]
    except redis.RedisError as error:
        log.warning("queue is away", error=type(error).__name__)
    return None


def lengths() -> dict[str, int] | None:
    """How many wake-ups lie in each queue; None where Redis is away."""
    try:
        return {name: queue(name).count for name in QUEUES}
    except redis.RedisError as error:
        log.warning("queues cannot be counted", error=type(error).__name__)
        return None
