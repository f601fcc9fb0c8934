"""What RQ may run: wake-ups, and nothing else that lies in Redis.

RQ imports and calls whatever name a job or its callbacks hold, and unpickles by default: without this, write access to
Redis is code in a worker, which opens tokens.
"""

import time
import zlib
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import Any

import redis
import structlog
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from app.db import transaction
from app.queue.table import JOBS, PERIODIC, TICKS

log = structlog.get_logger(__name__)

SERIALIZER = JSONSerializer
# Uploads take as long as they take; a work horse's own deadline is its lease.
NO_TIMEOUT = -1
KEEP_FAILED_SECONDS = 24 * 3600
_TICK_TIMEOUT_SECONDS = 60

_MAX_ID = 2**63 - 1
_MAX_DATA_BYTES = 1000
# What RQ itself writes for a job of ours. A job with any other field (callbacks, webhooks, dependencies, retries,
# repeats, groups) is refused.
_READ = {
    *(b"created_at", b"data", b"description", b"ended_at", b"enqueued_at", b"failure_ttl", b"last_heartbeat"),
    *(b"origin", b"result_ttl", b"started_at", b"status", b"worker_name"),
}
_IGNORED = {b"enqueue_at_front", b"exc_info", b"meta", b"timeout"}


class WakeUp(Job):
    """A job that may run: a declared name with one integer, a periodic task with none. Others are removed, not run."""

    def __init__(self, id: str | None = None, connection: redis.Redis | None = None, serializer: Any = None) -> None:
        super().__init__(id, connection, SERIALIZER)  # some callers pass none, and RQ would take pickle

    @classmethod
    def fetch(cls, id: str, connection: redis.Redis | None = None, serializer: Any = None) -> Job:
        try:
            return super().fetch(id, connection)
        except (ValueError, TypeError, OverflowError, RecursionError, redis.ResponseError) as error:
            log.warning("foreign job refused", refusal="foreign_job", job=id[:60], error=str(error)[:100])
            connection.delete(cls.key_for(id))
            raise NoSuchJobError(id) from error

    @classmethod
    def fetch_many(cls, job_ids, connection: redis.Redis, serializer: Any = None) -> list[Job | None]:
        jobs: list[Job | None] = []
        for job_id in job_ids:
            jobs.append(None)
            with suppress(NoSuchJobError):
                jobs[-1] = cls.fetch(job_id, connection)
        return jobs

    def perform(self) -> Any:
        with transaction() if self.origin == TICKS else nullcontext():
            return super().perform()

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
        self.timeout = _TICK_TIMEOUT_SECONDS if name in PERIODIC else NO_TIMEOUT
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
    max_connection_wait_time = 5.0  # RQ's minute would make everything late once Redis is back

    def execute_job(self, job: Job, queue: Queue) -> None:
        if job.origin == queue.name:
            super().execute_job(job, queue)
        else:
            log.warning("foreign job refused", refusal="foreign_job", job=job.id, error=f"it is of {job.origin[:60]!r}")
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
            self.connection.expire(WakeUp.redis_job_namespace_prefix.encode() + job_id, KEEP_FAILED_SECONDS)
        for registry in (one.started_job_registry, one.finished_job_registry, one.failed_job_registry):
            self.connection.zremrangebyscore(registry.key, 0, now)
        self.connection.delete(one.intermediate_queue_key)
