"""The queues. With worker.py the only file that knows RQ.

A job is a wake-up: a dotted name and an id. Losing it or getting it twice does no harm, the row decides. Only what is
declared here runs: a `WakeUp` checks what it reads from Redis, and takes nothing else from there.
"""

import re
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import redis
import structlog
from rq import Queue, get_current_job
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from app import clock
from app.redis_client import redis_client

log = structlog.get_logger(__name__)

PUBLISH = "publish"
BULK = "bulk"  # publications of users who have enough of theirs in PUBLISH
CLIPS = "clips"
REMOVALS = "removals"
CHORES = "chores"  # small things that must not wait for uploads
MAILS = "mails"
STATS = "stats"
TICKS = "ticks"

SERIALIZER = JSONSerializer

JOBS = {
    "app.jobs.publish": PUBLISH,
    "app.jobs.probe": CLIPS,
    "app.jobs.mail_recovery": CHORES,  # not behind the notifications: its user waits for it
    "app.jobs.remove_old": REMOVALS,
    "app.jobs.erase_file": REMOVALS,
    "app.jobs.refresh_token": CHORES,
    "app.jobs.revoke_token": CHORES,
    "app.jobs.mail_notification": MAILS,
    "app.jobs.read_stats": STATS,
}
# Everything that is done again and again, in seconds. Only SQL and wake-ups: uploads never delay it.
PERIODIC = {
    "app.jobs.tick_publications": 1,
    "app.jobs.tick_events": 1,
    "app.jobs.tick_stats": 3,
    "app.jobs.tick_clips": 5,
    "app.jobs.tick_mails": 5,
    "app.jobs.tick_revocations": 5,
    "app.jobs.tick_refreshes": 20,
    "app.jobs.tick_reminders": 60,
    "app.jobs.tick_housekeeping": 600,
}
TICK_TIMEOUT_SECONDS = 60

# Uploads take as long as they take; a work horse's own deadline is its lease.
_NO_TIMEOUT = -1
_KEEP_FAILED_SECONDS = 24 * 3600
_REDIS_EPOCH = "vezde:kept-since"
# Enough for the workers until the next tick: with more, what is due would be put in again at each tick.
_ENOUGH = 100

_MAX_ID = 2**63 - 1
_MAX_DATA_BYTES = 1000
# What RQ itself writes for a job of ours. A job with any other field (callbacks, webhooks, dependencies, retries,
# repeats, groups) is refused.
_READ = {
    *(b"created_at", b"data", b"description", b"ended_at", b"enqueued_at", b"failure_ttl", b"last_heartbeat"),
    *(b"origin", b"result_ttl", b"started_at", b"status", b"worker_name"),
}
_IGNORED = {b"enqueue_at_front", b"exc_info", b"meta", b"timeout"}
# The row's id comes first, so that a queue shows which rows it has without each job being read.
_JOB_ID = re.compile(rb"(\d{1,18})-[0-9a-f]{32}$")


class WakeUp(Job):
    """A job that may run: a declared name with one integer, a tick with none. Any other job is removed, not run.

    RQ imports and calls whatever name a job or its callbacks hold, and unpickles by default: without this, write
    access to Redis is code in a worker, which opens tokens.
    """

    def __init__(self, id: str | None = None, connection: redis.Redis | None = None, serializer: Any = None) -> None:
        super().__init__(id, connection, SERIALIZER)  # some callers pass none, and RQ would take pickle

    @classmethod
    def fetch(cls, id: str, connection: redis.Redis | None = None, serializer: Any = None) -> Job:
        try:
            return super().fetch(id, connection)
        except (ValueError, TypeError, OverflowError, RecursionError, redis.ResponseError) as error:
            log.warning("foreign job refused", job=id[:60], error=str(error)[:100])
            connection.delete(cls.key_for(id))
            raise NoSuchJobError(id) from error

    @classmethod
    def fetch_many(cls, job_ids, connection: redis.Redis, serializer: Any = None) -> list[Job | None]:
        jobs: list[Job | None] = []
        for job_id in job_ids:
            try:
                jobs.append(cls.fetch(job_id, connection))
            except NoSuchJobError:
                jobs.append(None)
        return jobs

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        if b"data" not in raw_data:
            raise NoSuchJobError(self.id)
        unknown = {field for field, value in raw_data.items() if value} - _READ - _IGNORED
        if unknown:
            raise ValueError(f"it has {min(unknown)!r}")
        data = _unpacked(raw_data[b"data"])
        name = _declared_name(data)
        super().restore({field: raw_data[field] for field in _READ & raw_data.keys()} | {b"data": data})
        if (name in PERIODIC) != (self.origin == TICKS):
            raise ValueError(f"{name} is in a queue that is not its own")
        self.timeout = TICK_TIMEOUT_SECONDS if name in PERIODIC else _NO_TIMEOUT
        self.meta = {"interval": PERIODIC[name]} if name in PERIODIC else {}


def _unpacked(data: bytes) -> bytes:
    """No more of it than a wake-up has: a few bytes can unpack to gigabytes."""
    if len(data) <= _MAX_DATA_BYTES:
        with suppress(zlib.error):  # RQ reads what is not packed too
            data = zlib.decompressobj().decompress(data, _MAX_DATA_BYTES + 1)
    if len(data) > _MAX_DATA_BYTES:
        raise ValueError("it is too large")
    return data


def _declared_name(data: bytes) -> str:
    name, instance, arguments, keywords = SERIALIZER.loads(data)
    if name not in JOBS and name not in PERIODIC:
        raise ValueError(f"{str(name)[:60]!r} is not declared")
    one_id = len(arguments) == 1 and type(arguments[0]) is int and 0 <= arguments[0] <= _MAX_ID
    if instance is not None or keywords != {} or not (arguments == [] if name in PERIODIC else one_id):
        raise ValueError(f"{name} has other arguments than declared")
    return name


class WakeUpQueue(Queue):
    """A queue whose jobs are wake-ups, whichever part of RQ makes it."""

    job_class = WakeUp

    def __init__(self, name: str = "default", *arguments: Any, **more: Any) -> None:
        super().__init__(name, *arguments, **{**more, "job_class": WakeUp, "serializer": SERIALIZER})

    @classmethod
    def lpop(cls, *arguments: Any, **more: Any) -> tuple[Any, str] | None:
        return _readable(super().lpop(*arguments, **more))

    @classmethod
    def lmove(cls, *arguments: Any, **more: Any) -> tuple[Any, str] | None:
        return _readable(super().lmove(*arguments, **more))


def _readable(taken: tuple[Any, bytes] | None) -> tuple[Any, str] | None:
    """An id that is no text would end the worker; so changed, it is no job's."""
    return taken and (taken[0], taken[1].decode(errors="replace"))


class WakeUpWorker:
    """For RQ's workers: they run wake-ups only, and nothing in Redis commands them."""

    job_class = WakeUp
    queue_class = WakeUpQueue

    def execute_job(self, job: Job, queue: Queue) -> None:
        if job.origin == queue.name:
            super().execute_job(job, queue)
        else:
            log.warning("foreign job refused", job=job.id, error=f"it is of {job.origin[:60]!r}")
            job.delete()

    def subscribe(self) -> None:
        """RQ's commands (shut down, kill the work horse) are of no use here."""

    def run_maintenance_tasks(self) -> None:
        """What has expired is dropped unread. RQ's own clean-up reads the jobs and calls their callbacks; here the rows
        know what is left to do.
        """
        for one in self.queues:
            try:
                self._drop_expired(one)
            except redis.ResponseError as error:
                log.warning("registries cannot be cleaned", queue=one.name, error=str(error)[:100])
        self.last_cleaned_at = datetime.now(UTC)

    def _drop_expired(self, one: Queue) -> None:
        now = time.time()
        for entry in self.connection.zrangebyscore(one.started_job_registry.key, 0, now):
            job_id, _, _execution = entry.partition(b":")
            self.connection.expire(WakeUp.redis_job_namespace_prefix.encode() + job_id, _KEEP_FAILED_SECONDS)
        for registry in (one.started_job_registry, one.finished_job_registry, one.failed_job_registry):
            self.connection.zremrangebyscore(registry.key, 0, now)
        self.connection.delete(one.intermediate_queue_key)


def queue(name: str, connection: redis.Redis | None = None) -> Queue:
    return WakeUpQueue(name, connection=connection or redis_client())


@dataclass(frozen=True)
class Waiting:
    """`ids`: the rows that the `count` wake-ups are for. `kept_since`: what was put in before is lost, this Redis knows
    nothing of it.
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


def has_enough(job: str) -> bool:
    """Whether the job's queue holds so many wake-ups that another one changes nothing. False where Redis is away."""
    try:
        return queue(JOBS[job]).count >= _ENOUGH
    except redis.RedisError:
        return False


def enqueue_publications(few: list[int], many: list[int]) -> bool:
    """`few` go first; `many` go when nobody waits for his first. False where Redis is away."""
    return enqueue("app.jobs.publish", *few) and enqueue("app.jobs.publish", *many, into=BULK)


def next_publication() -> int | None:
    """Takes out another wake-up for the work horse that asks: from PUBLISH, or from where its own came from.

    None where none waits, or Redis is away. Should the work horse die with it, the tick sends it again.
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
        return {name: queue(name).count for name in (PUBLISH, BULK, CLIPS, REMOVALS, CHORES, MAILS, STATS, TICKS)}
    except redis.RedisError as error:
        log.warning("queues cannot be counted", error=type(error).__name__)
        return None
