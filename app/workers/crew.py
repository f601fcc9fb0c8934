"""Which workers there are, and what the process of each runs."""

import gc
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from traceback import format_exception
from typing import Any

import structlog
from flask import Flask
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.timeouts import JobTimeoutException
from rq.utils import import_attribute
from rq.worker import BaseWorker, DequeueStrategy, WorkerStatus
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import configure_mappers

from app import clock
from app.db import db
from app.process.heap import fill_holes
from app.process.lifetime import forbid_memory_reads
from app.publishing import dispatch, engine, lease_expiry
from app.queue import queue
from app.queue.table import (
    BOT,
    BULK,
    CHORES,
    CLIPS,
    COPIES,
    IMPORTS,
    INBOX,
    JOBS,
    MAILS,
    MEDIA,
    PERIODIC,
    PICTURES,
    PUBLISH,
    QUESTIONS,
    REMOVALS,
    STATS,
    TICKS,
    WEBHOOKS,
)
from app.queue.wake_ups import SERIALIZER, WakeUpWorker
from app.redis_client import blocking_redis
from app.services import keys
from app.services.heartbeats import Pulse
from app.workers.worker import ClipWorker, HeartbeatToDatabase

log = structlog.get_logger(__name__)

# No kind of work can take all workers of another: a mail server or a platform that hangs keeps only spare workers busy,
# or those that read statistics; clips, and servers that they are fetched from, only their own.
QUEUES = {
    "worker": (PUBLISH, BULK),
    "spare": (PUBLISH, QUESTIONS, CHORES, MAILS),
    "probe": (PICTURES, CLIPS, COPIES, REMOVALS),
    "import": (IMPORTS,),
    "media": (MEDIA,),
}
# One user's large clips may keep all WORKERS busy for long: these are there for what others have just begun.
SPARES = 2
_NICENESS = 10
# A PaaS kills 30 s after SIGTERM: what is under way may take this long to end by itself, …
_UPLOAD_GRACE_SECONDS = 18.0
_COMMIT_GRACE_SECONDS = 4.0
_POLL_GRACE_SECONDS = 0.5
# … and the supervisor kills what is still there then.
STOP_GRACE_SECONDS = 25.0
_RENEW_AFTER_IDLE_SECONDS = 15
# The ticks have no pause: they are renewed every few minutes, which are so many tasks.
_RENEW_AFTER_TICKS = round(300 * sum(1 / seconds for seconds in PERIODIC.values()))
# An idle worker waits for a job 15 s less than its time to live, with a heartbeat in between.
_WORKER_TTL_SECONDS = 25
_MONITOR_INTERVAL_SECONDS = 10
_HEARTBEAT_SECONDS = 1
_NO_ROW = 0


def warm_up(app: Flask) -> None:
    """In the parent, before it forks: what is imported and compiled here is in the memory that the children share.

    Without the database each child compiles its statements itself.
    """
    for name in (*JOBS, *PERIODIC):
        import_attribute(name)
    configure_mappers()
    with app.app_context():
        try:
            pulse = Pulse("worker")
            pulse.beat()
            pulse.stop()
            lease_expiry.expire_leases_of_dead_workers()
            engine.advance(_NO_ROW)
            dispatch.next_due()
            dispatch.requeue_unstarted(_NO_ROW, clock.now())
        except SQLAlchemyError as error:
            log.warning("statements were not compiled", error=type(error).__name__)
        db.engine.dispose()
    gc.collect()
    fill_holes()
    gc.freeze()  # or the collector would write to, and so copy, every page in each child


def begin(app: Flask, run: Callable[[Flask], None], private_keys: Callable[[], str | None] = lambda: None) -> None:
    """A worker's life, from its fork on: nothing before it has read the private keys, nothing beside it can."""
    forbid_memory_reads()
    with app.app_context():
        keys.hold_private_keys(private_keys())
    run(app)


def crew(config: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[Flask], None]]]:
    """Each worker's name, and what its process runs."""
    for number in range(1, config["WORKERS"] + 1):
        # Half of the workers also read statistics, when nothing is to be published.
        queues = (*QUEUES["worker"], STATS) if number % 2 else QUEUES["worker"]
        yield f"worker-{number}", partial(work, queues=queues)
    counts = {"spare": SPARES, "probe": config["PROBE_WORKERS"], "import": config["IMPORT_WORKERS"]}
    counts["media"] = config["MEDIA_WORKERS"]
    for kind, count in counts.items():
        for number in range(1, count + 1):
            yield f"{kind}-{number}", partial(work, kind=kind)
    # Users wait for these in front of a page, and uploads may keep all others busy.
    yield "questions-1", partial(work, kind="spare", queues=(QUESTIONS,))
    # Receivers are anybody's: they may hang as long as they like, and keep nothing else waiting.
    yield "webhooks-1", partial(work, kind="spare", queues=(WEBHOOKS,))
    if config["INBOX_URL"]:
        yield "inbox-1", partial(work, kind="import", queues=(INBOX,))
    if config["NOTIFY_BOT_NAME"] and (config["NOTIFY_BOT_TOKEN"] or config["NOTIFY_BOT_TOKEN_FILE"]):
        # Nothing is lost with a request that only waits: a stop is not kept waiting for it.
        yield "bot-1", partial(work, kind="spare", queues=(BOT,), upload_grace=_POLL_GRACE_SECONDS)


def work(
    app: Flask,
    kind: str = "worker",
    burst: bool = False,
    queues: Sequence[str] = (),
    upload_grace: float = _UPLOAD_GRACE_SECONDS,
    commit_grace: float = _COMMIT_GRACE_SECONDS,
    monitor_interval: int = _MONITOR_INTERVAL_SECONDS,
    renew_after_idle: int = _RENEW_AFTER_IDLE_SECONDS,
) -> None:
    """One worker of that kind, for its QUEUES or other `queues`.

    Returns after SIGTERM, its job done or given back; idle for `renew_after_idle` seconds after it has worked; with
    `burst`, when no job waits.
    """
    with app.app_context():
        connection = blocking_redis()
        if kind in ("probe", "media"):
            os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
        worker = ClipWorker(
            [queue(name, connection) for name in queues or QUEUES[kind]],
            connection=connection,
            serializer=SERIALIZER,
            log_job_description=False,
            worker_ttl=_WORKER_TTL_SECONDS,
            job_monitoring_interval=monitor_interval,
        )
        worker.app, worker.upload_grace, worker.commit_grace = app, upload_grace, commit_grace
        worker.renew_after_idle = renew_after_idle
        lease_expiry.expire_leases_of_dead_workers()  # one may be of the worker whose place this one takes
        _work(worker, kind, burst)


def _work(worker: BaseWorker, kind: str, burst: bool, max_jobs: int | None = None) -> None:
    worker.pulse = Pulse(kind)
    # Spare workers take from their queues in turn; of the others' an earlier one comes first.
    strategy = DequeueStrategy.ROUND_ROBIN if kind == "spare" else DequeueStrategy.DEFAULT
    worker.work(burst=burst, max_jobs=max_jobs, logging_level="WARNING", dequeue_strategy=strategy)
    worker.pulse.stop()


class TaskWorker(SimpleWorker):
    """Runs a task without forking; of one that goes well Redis gets no more than the count.

    RQ's record of each job took four fifths of the time, eleven times a second; the scheduler begins a task again
    whatever became of the last one.
    """

    _heartbeat_at = -math.inf

    def heartbeat(self, *arguments, **more) -> None:
        """RQ calls it four times a task."""
        if time.monotonic() - self._heartbeat_at >= _HEARTBEAT_SECONDS:
            self._heartbeat_at = time.monotonic()
            super().heartbeat(*arguments, **more)

    def execute_job(self, job: Job, queue: Queue) -> None:
        self.set_state(WorkerStatus.BUSY)  # a signal to stop waits for its end
        self.connection.lrem(queue.intermediate_queue_key, 1, job.id)
        try:
            with self.death_penalty_class(job.timeout, JobTimeoutException, job_id=job.id):
                job.perform()
        except Exception as error:  # noqa: BLE001 - as RQ does: it is told, and the next task goes on
            self._record_failure(job, queue, error)
        else:
            self.increment_successful_job_count()

    def _record_failure(self, job: Job, queue: Queue, error: Exception) -> None:
        told = (type(error), error, error.__traceback__)
        self.handle_exception(job, *told)
        self.handle_job_failure(
            job, queue, exc_string="".join(format_exception(error)), execution=self.prepare_execution(job)
        )


class TickWorker(HeartbeatToDatabase, WakeUpWorker, TaskWorker):
    """Runs the periodic tasks."""


def run_ticks(app: Flask, burst: bool = False) -> None:
    """Returns after SIGTERM, or after a few minutes, to be renewed; with `burst`, when no task waits."""
    with app.app_context():
        connection = blocking_redis()
        ticks = TickWorker(
            [queue(TICKS, connection)], connection=connection, serializer=SERIALIZER, worker_ttl=_WORKER_TTL_SECONDS
        )
        _work(ticks, "ticks", burst, _RENEW_AFTER_TICKS)
