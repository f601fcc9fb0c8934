"""The queues. With worker.py the only file that knows RQ.

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
from rq.job import Job
from rq.serializers import JSONSerializer

from app import clock
from app.extensions import redis_client

log = structlog.get_logger(__name__)

PUBLISH = "publish"
BULK = "bulk"  # publications of users who have enough of theirs in PUBLISH
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
# The row's id comes first, so that a queue shows which rows it has without each job being read.
_JOB_ID = re.compile(r"(\d+)-[0-9a-f]{32}$")


def queue(name: str) -> Queue:
    return Queue(name, connection=redis_client(), serializer=SERIALIZER)


@dataclass(frozen=True)
class Waiting:
    """`ids`: the rows that the `count` wake-ups are for. `kept_since`: what was put in before is lost, this Redis knows
    nothing of it.
    """

    count: int
    ids: frozenset[int]
    kept_since: datetime


def waiting(*names: str) -> Waiting | None:
    """What lies in these queues; None where Redis is away."""
    client = redis_client()
    try:
        now = clock.now()
        client.set(_KEPT_SINCE, now.isoformat(), nx=True)
        since = client.get(_KEPT_SINCE)
        if not since:
            return None
        kept_since = datetime.fromisoformat(since.decode())
        if kept_since > now:  # by a clock that was ahead
            client.set(_KEPT_SINCE, now.isoformat())
        job_ids = [job_id for name in names for job_id in queue(name).job_ids]
        ids = frozenset(int(found[1]) for found in map(_JOB_ID.match, job_ids) if found)
        return Waiting(len(job_ids), ids, min(kept_since, now))
    except redis.RedisError:
        return None


def enqueue(job: str, *ids: int, into: str | None = None) -> bool:
    """A job for each id, in the job's own queue or another. False where Redis is away: the tick sends them later."""
    target = queue(into or JOBS[job])
    try:
        target.enqueue_many(
            [
                Queue.prepare_data(
                    job,
                    args=(row_id,),
                    job_id=f"{row_id}-{uuid4().hex}",
                    timeout=_NO_TIMEOUT,
                    result_ttl=0,
                    failure_ttl=_KEEP_FAILED_SECONDS,
                )
                for row_id in ids
            ]
        )
    except redis.RedisError as error:
        log.warning("queue is away", job=job, error=type(error).__name__)
        return False
    return True


def enqueue_publications(few: list[int], many: list[int]) -> bool:
    """`few` go first; `many` go when nobody waits for his first. False where Redis is away."""
    return enqueue("app.jobs.publish", *few) and enqueue("app.jobs.publish", *many, into=BULK)


def next_publication() -> int | None:
    """Takes out another wake-up for the work-horse that asks: from PUBLISH, or from where its own came from.

    None where none waits, or Redis is away. Should the work-horse die with it, the tick sends it again.
    """
    own = get_current_job()
    lanes = dict.fromkeys((PUBLISH, own.origin)) if own else ()
    client = redis_client()
    try:
        for name in lanes:
            while job_id := client.lpop(queue(name).key):
                with suppress(NoSuchJobError):
                    job = Job.fetch(job_id.decode(), connection=client, serializer=SERIALIZER)
                    client.delete(job.key)
                    return job.args[0]
    except redis.RedisError as error:
        log.warning("queue is away", error=type(error).__name__)
    return None


def lengths() -> dict[str, int] | None:
    """How many wake-ups lie in each queue; None where Redis is away."""
    try:
        return {name: queue(name).count for name in (PUBLISH, BULK, CLIPS, CHORES, STATS, TICKS)}
    except redis.RedisError as error:
        log.warning("queues cannot be counted", error=type(error).__name__)
        return None
