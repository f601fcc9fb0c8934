"""rq-scheduler, which puts each periodic task of `app.queue.table` into the queue when its time comes, and the one that
releases publications also when the next of them is due.
"""

import math
import signal
import threading
from datetime import UTC, datetime

import redis
import structlog
from flask import Flask
from rq_scheduler import Scheduler
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.publishing import dispatch
from app.queue.table import PERIODIC, TICKS
from app.queue.wake_ups import WakeUp, WakeUpQueue
from app.redis_client import blocking_redis
from app.services.heartbeats import Pulse

log = structlog.get_logger(__name__)

# Before it looks again where another scheduler acts or Redis is away, …
_IDLE_SECONDS = 0.5
# … and after a publication has fallen due, for the next one, or for the same: a tick on a machine whose clock is a
# moment behind has not released it.
_RELEASE_SECONDS = 0.1
_LOCK_SECONDS = 10


class TickScheduler(Scheduler):
    """rq-scheduler for the periodic tasks. Of several schedulers the one that owns the lock acts.

    Upstream's lock has no owner, its periodic jobs are lost when the process ends at the wrong moment, and it ends
    when Redis restarts: hence an owned lock, ticks that are put back on every pass, and a loop that goes on.

    Upstream plans by its machine's clock, which stops every tick for as long as it was ahead: Redis' TIME is one for
    all schedulers. Should that be set back, a tick or a lock that is further away than it can be does not count.
    """

    job_class = WakeUp
    queue_class = WakeUpQueue
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
        for name, seconds in PERIODIC.items():
            job_id = tick_id(name)
            is_planned = planned.pop(job_id.encode(), math.inf) <= now + seconds
            if not is_planned or not self.connection.exists(self.job_class.key_for(job_id)):
                at = datetime.fromtimestamp(now, UTC)
                self.schedule(at, name, interval=seconds, id=job_id, queue_name=TICKS)
        for stale in planned:
            self.cancel(stale)

    def get_jobs_to_queue(self, with_times: bool = False):
        return self.get_jobs(self._redis_now(), with_times)

    def enqueue_job(self, job) -> None:
        super().enqueue_job(job)
        self.connection.zadd(self.scheduled_jobs_key, {job.id: self._redis_now() + job.meta["interval"]})

    def act(self) -> float:
        """Puts what is due into the queue; returns in how many seconds to look again.

        That is when Redis' next second begins, since ticks are planned in whole seconds, or when a publication is due.
        """
        if not self.acquire_lock():
            return _IDLE_SECONDS
        self.put_back_ticks()
        due = _next_due()
        is_due = due is not None and due <= clock.now()
        if is_due:
            self.connection.zadd(self.scheduled_jobs_key, {_RELEASE: 0})
        self.enqueue_jobs()
        _, microseconds = self.connection.time()
        seconds = 1 - microseconds / 1e6
        if is_due:
            return min(seconds, _RELEASE_SECONDS)
        return seconds if due is None else min(seconds, max((due - clock.now()).total_seconds(), 0))

    def _redis_now(self) -> int:
        return self.connection.time()[0]

    def run_until(self, stop: threading.Event) -> None:
        pulse = Pulse("scheduler")
        seconds = 0.0
        while not stop.wait(seconds):
            pulse.beat()
            seconds = _IDLE_SECONDS
            try:
                seconds = self.act()
            except redis.RedisError as error:
                log.warning("scheduler waits for redis", error=type(error).__name__)
            except UnicodeDecodeError:  # a foreign entry since put_back_ticks(), which removes it on the next pass
                log.warning("foreign entry among the scheduled jobs", refusal="foreign_job")
        pulse.stop()
        try:
            self.remove_lock()
        except redis.RedisError as error:
            log.warning("the scheduler's lock runs out by itself", error=type(error).__name__)


def _next_due() -> datetime | None:
    """None where the database is away, too: the ticks come all the same, each second."""
    try:
        return dispatch.next_due()
    except SQLAlchemyError as error:
        log.warning("scheduler cannot see what is due", error=type(error).__name__)
        return None


def tick_id(name: str) -> str:
    """The id of a periodic task's one job."""
    return f"tick-{name.replace('.', '-')}"


_RELEASE = tick_id("app.jobs.release_publications")


def run_scheduler(app: Flask) -> None:
    """rq-scheduler; returns after SIGTERM."""
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    with app.app_context():
        TickScheduler(TICKS, connection=blocking_redis()).run_until(stop)
