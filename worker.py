"""The workers. `python worker.py`: all of `crew`; `python worker.py scheduler`: rq-scheduler and its ticks.

One parent imports the application and freezes what it holds, and forks: the children share its memory.
"""

import gc
import importlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import redis
import structlog
from flask import Flask
from rq import SimpleWorker, Worker
from rq.worker import DequeueStrategy
from rq_scheduler import Scheduler
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import configure_mappers

from app import clock, create_app, process, queue
from app.db import db
from app.publishing import dispatch, lease, rehearsal
from app.redis_client import redis_from_url
from app.services.heartbeats import Pulse

log = structlog.get_logger(__name__)

SCHEDULER_SECONDS = 0.5
# No kind of work can take all workers of another: a mail server or a platform that hangs keeps only spare workers busy,
# or those that read numbers; clips only their own.
QUEUES = {
    "worker": (queue.PUBLISH, queue.BULK),
    "spare": (queue.PUBLISH, queue.QUESTIONS, queue.CHORES, queue.MAILS),
    "probe": (queue.CLIPS, queue.REMOVALS),
}
# Half of the workers also read numbers, when nothing is to be published.
_READS_NUMBERS = (*QUEUES["worker"], queue.STATS)
# Otherwise an earlier queue comes first; these take from their queues in turn.
_IN_TURN = {"spare"}
# One user's large clips may keep all WORKERS busy for long: these are there for what others have just begun.
SPARES = 2
_NICENESS = 10
_LOCK_SECONDS = 10
# A PaaS kills 30 s after SIGTERM: what is under way may take this long to end by itself, …
_UPLOAD_GRACE_SECONDS = 18.0
_COMMIT_GRACE_SECONDS = 4.0
# … and the supervisor kills what is still there then.
_STOP_GRACE_SECONDS = 25.0
_RENEW_AFTER_IDLE_SECONDS = 15
# The ticks have no pause: they are renewed every few minutes.
_RENEW_AFTER_TICKS = 300
# An idle worker waits for a job 15 s less than its time to live, and says in between that it lives.
_WORKER_TTL_SECONDS = 25
# One stop may reach a worker twice: from the PaaS and from its supervisor.
_SAME_SIGNAL = timedelta(seconds=1)
_MONITOR_INTERVAL_SECONDS = 10


def _blocking_redis(app: Flask) -> redis.Redis:
    """For workers that wait for jobs: the application's own client gives up after two seconds."""
    return redis_from_url(app.config["REDIS_URL"])


class HeartbeatToDatabase:
    """For RQ's workers: whenever they tell Redis that they live, they tell the database."""

    pulse: Pulse

    def heartbeat(self, *arguments, **more) -> None:
        super().heartbeat(*arguments, **more)
        self.pulse.beat()


class ClipWorker(HeartbeatToDatabase, queue.WakeUpWorker, Worker):
    """RQ's worker, made to end well: its work horse dies with it, and no row waits for a lease longer than it must.

    Nothing here depends on Redis: RQ's own clean-up needs it, the rows do not.
    """

    max_connection_wait_time = 5.0
    _has_worked = False
    app: Flask
    upload_grace: float  # seconds
    commit_grace: float
    renew_after_idle: int

    # In the work horse

    def main_work_horse(self, job, queue) -> None:
        process.die_with_parent(self.pid)
        db.engine.dispose(close=False)
        super().main_work_horse(job, queue)

    def setup_work_horse_signals(self) -> None:
        """A PaaS sends SIGTERM to every process; when the work horse ends is the worker's decision."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    # In the worker

    def monitor_work_horse(self, job, queue, execution) -> None:
        self._publishes = job.func_name == "app.jobs.publish"
        self._was_stopped, self._has_worked = False, True
        taken_at = clock.now()
        try:
            super().monitor_work_horse(job, queue, execution)
        finally:
            if self._publishes and not self.horse_pid:
                lease.expire_leases_of_dead_workers()
                dispatch.requeue_unstarted(job.args[0], taken_at)

    def dequeue_job_and_maintain_ttl(self, timeout, max_idle_time=None):
        """A worker that has worked no longer shares all of its memory with its parent: idle, it gives way to a new one,
        which the supervisor forks.
        """
        if self._has_worked and timeout is not None:
            max_idle_time = self.renew_after_idle
        return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)

    def maintain_heartbeats(self, job, execution) -> None:
        self.kill_stopped_work_horse()
        try:
            super().maintain_heartbeats(job, execution)
        except redis.RedisError as error:
            log.warning("heartbeat without redis", error=type(error).__name__)

    def kill_stopped_work_horse(self) -> None:
        """Stopped at two looks in a row: it may hold SQLite's one write lock, and its lease runs out anyway."""
        stopped = process.is_stopped(self.horse_pid)
        if stopped and self._was_stopped:
            self.kill_horse()
        self._was_stopped = stopped

    # The end

    def handle_warm_shutdown_request(self) -> None:
        super().handle_warm_shutdown_request()
        self._stop_work_horse_within(self.upload_grace)

    def request_force_stop(self, signum, frame) -> None:
        """The second signal: no more grace, but the row is given back all the same."""
        if datetime.now(UTC) - self._shutdown_requested_date > _SAME_SIGNAL:
            self._stop_work_horse_within(0)

    def _stop_work_horse_within(self, seconds: float) -> None:
        """Beside the main thread, which waits for the horse. After a signal to stop no other horse comes."""
        threading.Thread(target=self._stop_work_horse, args=(seconds,), daemon=True).start()

    def _stop_work_horse(self, seconds: float) -> None:
        """An upload is taken from the horse when its grace is over; a commit gets a little longer to be answered,
        since some platforms cannot be asked afterwards.
        """
        time.sleep(seconds)
        if not self.horse_pid:
            return
        with self.app.app_context():
            given_back = not self._publishes or lease.revoke_lease(self.horse_pid)
        if not given_back:
            time.sleep(self.commit_grace)
        if self.horse_pid:
            self.kill_horse()


def rehearse(app: Flask) -> None:
    """In the parent, once the tables are there. Without the database each work horse builds its own statements."""
    with app.app_context():
        try:
            rehearsal.rehearse()
            # What each worker does at its start and when idle: compiled here, it is not compiled in the memory of each.
            pulse = Pulse("worker")
            pulse.beat()
            pulse.stop()
            lease.expire_leases_of_dead_workers()
        except SQLAlchemyError as error:
            log.warning("not rehearsed", error=type(error).__name__)
        db.engine.dispose()
    gc.collect()
    gc.freeze()


def crew(config: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[Flask], None]]]:
    """Each worker's name, and what its process runs."""
    for number in range(1, config["WORKERS"] + 1):
        queues = _READS_NUMBERS if number % 2 else QUEUES["worker"]
        yield f"worker-{number}", partial(work, queues=queues)
    # Users wait for these in front of a page, and uploads may keep all others busy.
    yield "questions-1", partial(work, kind="spare", queues=(queue.QUESTIONS,))
    for kind, count in (("spare", SPARES), ("probe", config["PROBE_WORKERS"])):
        for number in range(1, count + 1):
            yield f"{kind}-{number}", partial(work, kind=kind)


def work(
    app: Flask | None = None,
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
    app = app or create_app()
    with app.app_context():
        connection = _blocking_redis(app)
        if kind == "probe":
            os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
        worker = ClipWorker(
            [queue.queue(name, connection) for name in queues or QUEUES[kind]],
            connection=connection,
            serializer=queue.SERIALIZER,
            log_job_description=False,
            worker_ttl=_WORKER_TTL_SECONDS,
            job_monitoring_interval=monitor_interval,
        )
        worker.app, worker.upload_grace, worker.commit_grace = app, upload_grace, commit_grace
        worker.renew_after_idle = renew_after_idle
        lease.expire_leases_of_dead_workers()  # among them the horse of the worker whose place this one takes
        _work(worker, kind, burst)


def _work(worker: Worker, kind: str, burst: bool, max_jobs: int | None = None) -> None:
    worker.pulse = Pulse(kind)
    strategy = DequeueStrategy.ROUND_ROBIN if kind in _IN_TURN else DequeueStrategy.DEFAULT
    worker.work(burst=burst, max_jobs=max_jobs, logging_level="WARNING", dequeue_strategy=strategy)
    worker.pulse.stop()


class TickWorker(HeartbeatToDatabase, queue.WakeUpWorker, SimpleWorker):
    """Does the ticks without forking."""


class TickScheduler(Scheduler):
    """rq-scheduler for a handful of ticks. Of several schedulers the one that owns the lock acts.

    Upstream's lock has no owner, its periodic jobs are lost when the process dies at the wrong moment, and it ends
    when Redis restarts: hence an owned lock, ticks that are put back on every pass, and a loop that goes on.

    Upstream plans by its machine's clock, which stops every tick for as long as it was ahead: Redis' TIME is one for
    all schedulers. Should that be set back, a tick or a lock that is further away than it can be does not count.
    """

    job_class = queue.WakeUp
    queue_class = queue.WakeUpQueue
    _take_lock = """
    local owner = redis.call('GET', KEYS[1])
    if owner == false or owner == ARGV[1] or redis.call('TTL', KEYS[1]) > tonumber(ARGV[2]) then
      redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
      return 1
    end
    return 0
    """
    _drop_lock = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

    def acquire_lock(self) -> bool:
        taken = self.connection.eval(self._take_lock, 1, self.scheduler_lock_key, self.name, _LOCK_SECONDS)
        self._lock_acquired = bool(taken)
        return self._lock_acquired

    def remove_lock(self) -> None:
        self.connection.eval(self._drop_lock, 1, self.scheduler_lock_key, self.name)

    def put_back_ticks(self) -> None:
        now = self._redis_now()
        planned = dict(self.connection.zrange(self.scheduled_jobs_key, 0, -1, withscores=True))
        for name, seconds in queue.PERIODIC.items():
            job_id = f"tick-{name.rpartition('.')[2]}"
            is_planned = planned.pop(job_id.encode(), math.inf) <= now + seconds
            if not is_planned or not self.connection.exists(self.job_class.key_for(job_id)):
                at = datetime.fromtimestamp(now, UTC)
                self.schedule(at, name, interval=seconds, id=job_id, queue_name=queue.TICKS)
        for stale in planned:
            self.cancel(stale)

    def get_jobs_to_queue(self, with_times: bool = False):
        return self.get_jobs(self._redis_now(), with_times)

    def enqueue_job(self, job) -> None:
        super().enqueue_job(job)
        self.connection.zadd(self.scheduled_jobs_key, {job.id: self._redis_now() + job.meta["interval"]})

    def _redis_now(self) -> int:
        return self.connection.time()[0]

    def run_until(self, stop: threading.Event) -> None:
        pulse = Pulse("scheduler")
        while not stop.wait(SCHEDULER_SECONDS):
            pulse.beat()
            try:
                if self.acquire_lock():
                    self.put_back_ticks()
                    self.enqueue_jobs()
            except redis.RedisError as error:
                log.warning("scheduler waits for redis", error=type(error).__name__)
        pulse.stop()
        try:
            self.remove_lock()
        except redis.RedisError as error:
            log.warning("the scheduler's lock runs out by itself", error=type(error).__name__)


def run_scheduler(app: Flask | None = None) -> None:
    """rq-scheduler; returns after SIGTERM."""
    app = app or create_app()
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    with app.app_context():
        TickScheduler(queue.TICKS, connection=_blocking_redis(app)).run_until(stop)


def run_ticks(app: Flask | None = None, burst: bool = False) -> None:
    """Runs the ticks without forking; returns after SIGTERM; with `burst`, when none waits."""
    app = app or create_app()
    with app.app_context():
        connection = _blocking_redis(app)
        ticks = TickWorker(
            [queue.queue(queue.TICKS, connection)],
            connection=connection,
            serializer=queue.SERIALIZER,
            worker_ttl=_WORKER_TTL_SECONDS,
        )
        _work(ticks, "ticks", burst, _RENEW_AFTER_TICKS)


def preload() -> None:
    """What the children would load each for itself, in memory of its own."""
    for name in ("app.jobs", "app.publishing.engine", "psycopg"):
        importlib.import_module(name)
    configure_mappers()


def main(arguments: list[str]) -> None:
    app = create_app()
    preload()
    gc.collect()
    gc.freeze()
    supervisor = process.Supervisor(lambda line: log.warning(line))
    if arguments == ["scheduler"]:
        os.environ.pop("VAULT_PRIVATE_KEY", None)
        supervisor.add(process.Child("scheduler", lambda: run_scheduler(app)))
        supervisor.add(process.Child("ticks", lambda: run_ticks(app)))
    elif not arguments:
        rehearse(app)
        for name, run in crew(app.config):
            supervisor.add(process.Child(name, partial(run, app), grace=_STOP_GRACE_SECONDS))
    else:
        sys.exit("python worker.py — работники; python worker.py scheduler — расписание")
    supervisor.run()


if __name__ == "__main__":
    main(sys.argv[1:])
