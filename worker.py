"""The workers. `python worker.py`: WORKERS of them; `python worker.py scheduler`: rq-scheduler and its ticks.

One parent imports the application and freezes what it holds, and forks: the children share its memory.
"""

import gc
import os
import signal
import sys
import threading
from datetime import UTC, datetime

import redis
import structlog
from flask import Flask
from rq import Queue, SimpleWorker, Worker
from rq.serializers import JSONSerializer
from rq_scheduler import Scheduler
from sqlalchemy.exc import SQLAlchemyError

from app import create_app, process, queue
from app.extensions import db
from app.publishing import lease, rehearsal

log = structlog.get_logger(__name__)

# Everything that is done again and again, in seconds. Only SQL and wake-ups: uploads never delay it.
TICKS = {
    "app.jobs.tick_publications": 1,
    "app.jobs.tick_stats": 3,
    "app.jobs.tick_clips": 5,
    "app.jobs.tick_mails": 5,
    "app.jobs.tick_revocations": 5,
    "app.jobs.tick_refreshes": 20,
    "app.jobs.tick_reminders": 60,
    "app.jobs.correct_clock": 60,
    "app.jobs.tick_housekeeping": 600,
}
SCHEDULER_SECONDS = 0.5
_LOCK_SECONDS = 10
_STOP_GRACE_SECONDS = 25.0


def _blocking_redis(app: Flask) -> redis.Redis:
    """For workers that wait for jobs: the application's own client gives up after two seconds."""
    return redis.Redis.from_url(app.config["REDIS_URL"], health_check_interval=30)


class ClipWorker(Worker):
    """RQ's worker whose work-horse dies with it and begins with connections of its own."""

    def main_work_horse(self, job, queue) -> None:
        process.die_with_parent(self.pid)
        db.engine.dispose(close=False)
        super().main_work_horse(job, queue)

    def handle_work_horse_killed(self, job, retpid, ret_val, rusage) -> None:
        super().handle_work_horse_killed(job, retpid, ret_val, rusage)
        if job.func_name == "app.jobs.publish" and retpid:
            lease.bury(job.args[0], retpid)


def rehearse(app: Flask) -> None:
    """In the parent, once the tables are there. Without the database each work-horse builds its own statements."""
    with app.app_context():
        try:
            rehearsal.rehearse()
        except SQLAlchemyError as error:
            log.warning("not rehearsed", error=type(error).__name__)
        db.engine.dispose()
    gc.collect()
    gc.freeze()


def work(app: Flask | None = None, burst: bool = False) -> None:
    """One worker; returns after SIGTERM, when its job is done. With `burst`, once the queues are empty."""
    app = app or create_app()
    with app.app_context():
        connection = _blocking_redis(app)
        # In this order: numbers are read when nothing is to be published.
        queues = [
            Queue(name, connection=connection, serializer=JSONSerializer)
            for name in (queue.CHORES, queue.CLIPS, queue.PUBLISH, queue.STATS)
        ]
        worker = ClipWorker(queues, connection=connection, serializer=JSONSerializer, log_job_description=False)
        worker.work(burst=burst, logging_level="WARNING")


class TickScheduler(Scheduler):
    """rq-scheduler for a handful of ticks. Of several schedulers the one that owns the lock acts.

    Upstream's lock has no owner, its periodic jobs are lost when the process dies at the wrong moment, and it ends
    when Redis restarts: hence an owned lock, ticks that are put back on every pass, and a loop that goes on.
    """

    _take_lock = """
    local owner = redis.call('GET', KEYS[1])
    if owner == false or owner == ARGV[1] then
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
        planned = {job_id.decode() for job_id in self.connection.zrange(self.scheduled_jobs_key, 0, -1)}
        for name, seconds in TICKS.items():
            job_id = f"tick-{name.rpartition('.')[2]}"
            if job_id not in planned or not self.connection.exists(self.job_class.key_for(job_id)):
                self.schedule(datetime.now(UTC), name, interval=seconds, id=job_id, queue_name=queue.TICKS, timeout=60)
            planned.discard(job_id)
        for stale in planned:
            self.cancel(stale)

    def run_until(self, stop: threading.Event) -> None:
        while not stop.wait(SCHEDULER_SECONDS):
            try:
                if self.acquire_lock():
                    self.put_back_ticks()
                    self.enqueue_jobs()
            except redis.RedisError as error:
                log.warning("scheduler waits for redis", error=type(error).__name__)
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
        TickScheduler(queue_name=queue.TICKS, connection=_blocking_redis(app)).run_until(stop)


def run_ticks(app: Flask | None = None) -> None:
    """Runs the ticks without forking; returns after SIGTERM."""
    app = app or create_app()
    with app.app_context():
        connection = _blocking_redis(app)
        SimpleWorker([Queue(queue.TICKS, connection=connection)], connection=connection).work(logging_level="WARNING")


def main(arguments: list[str]) -> None:
    app = create_app()
    gc.collect()
    gc.freeze()
    supervisor = process.Supervisor(lambda line: log.warning(line))
    if arguments == ["scheduler"]:
        os.environ.pop("VAULT_PRIVATE_KEY", None)
        supervisor.add(process.Child("scheduler", lambda: run_scheduler(app)))
        supervisor.add(process.Child("ticks", lambda: run_ticks(app)))
    elif not arguments:
        rehearse(app)
        for number in range(1, app.config["WORKERS"] + 1):
            supervisor.add(process.Child(f"worker-{number}", lambda: work(app), grace=_STOP_GRACE_SECONDS))
    else:
        sys.exit("python worker.py — работники; python worker.py scheduler — расписание")
    supervisor.run()


if __name__ == "__main__":
    main(sys.argv[1:])
