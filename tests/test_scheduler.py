"""The table of jobs and periodic tasks, and the scheduler's plan of it, also against clocks that were wrong."""

import inspect
import multiprocessing
import os
from datetime import UTC, datetime, timedelta

import pytest
from rq.utils import import_attribute
from sqlalchemy import text

from app import clock, queue
from app.db import db
from app.models import Heartbeat
from app.queue.table import JOBS, PERIODIC, TICKS
from app.queue.wake_ups import WakeUp
from app.redis_client import redis_client
from app.workers import crew
from app.workers.scheduler import TickScheduler, tick_id

HOUR = 3600
EVERY_TICK = sorted(map(tick_id, PERIODIC))


@pytest.fixture
def scheduler(app):
    """Makes schedulers as several machines have one each."""
    return lambda: TickScheduler(queue_name=TICKS, connection=redis_client())


def one_pass(scheduler: TickScheduler) -> list[str]:
    """What the scheduler does each second; returns the ticks that it has put into the queue."""
    assert scheduler.acquire_lock()
    scheduler.put_back_ticks()
    scheduler.enqueue_jobs()
    ticks = queue.queue(TICKS)
    woken = sorted(ticks.job_ids)
    redis_client().delete(ticks.key)  # not `empty()`, which would take the jobs away as well
    return woken


def planned() -> dict[str, float]:
    return dict(redis_client().zrange(TickScheduler.scheduled_jobs_key, 0, -1, withscores=True))


def test_every_name_in_the_table_resolves(app):
    for names, parameters in ((JOBS, 1), (PERIODIC, 0)):
        for name in names:
            assert len(inspect.signature(import_attribute(name)).parameters) == parameters, name


def test_every_job_has_a_worker(app):
    whole = app.config | {"INBOX_URL": "file:/inbox", "NOTIFY_BOT_TOKEN": "1:token"}
    served = {name for _, run in crew.crew(whole) for name in run.keywords.get("queues") or ()}
    served |= {name for queues in crew.QUEUES.values() for name in queues}
    assert set(JOBS.values()) <= served


def test_the_plan_is_the_table(scheduler):
    one_pass(scheduler())
    ticks = WakeUp.fetch_many([job_id.decode() for job_id in planned()], connection=redis_client())
    assert {job.func_name: job.meta["interval"] for job in ticks} == PERIODIC


def test_a_periodic_task_that_fails_stops_no_other(app, scheduler):
    """Each is a unit of work of its own."""
    db.session.execute(text("ALTER TABLE uploads RENAME TO elsewhere"))
    then = clock.now() - timedelta(days=2)
    db.session.add(Heartbeat(name="a", kind="worker", opens_tokens=False, started_at=then, seen_at=then))
    db.session.commit()
    one = scheduler()
    assert one.acquire_lock()
    one.put_back_ticks()
    one.enqueue_jobs()

    def run() -> None:
        db.engine.dispose(close=False)
        crew.run_ticks(app, burst=True)
        os._exit(0)

    db.session.remove()
    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    assert process.exitcode == 0
    failed = queue.queue(TICKS).failed_job_registry.get_job_ids(cleanup=False)
    assert failed == [tick_id("app.jobs.sweep_uploads")]
    assert db.session.get(Heartbeat, "a") is None


def test_ticks_planned_by_a_clock_that_was_ahead_are_planned_again(scheduler):
    assert one_pass(scheduler()) == EVERY_TICK
    for job_id, at in planned().items():
        redis_client().zadd(TickScheduler.scheduled_jobs_key, {job_id: at + HOUR})
    redis_client().delete(TickScheduler.scheduler_lock_key)
    assert one_pass(scheduler()) == EVERY_TICK


def test_no_tick_comes_before_its_time(scheduler):
    one = scheduler()
    one_pass(one)
    now = datetime.now(UTC).timestamp()
    assert all(at > now - 1 for at in planned().values())
    redis_client().zadd(TickScheduler.scheduled_jobs_key, {tick_id("app.jobs.sweep_uploads"): now + 60})
    assert tick_id("app.jobs.sweep_uploads") not in one_pass(one)


def test_a_lock_that_a_wrong_clock_prolonged_stops_no_scheduler(scheduler):
    assert scheduler().acquire_lock()
    redis_client().expire(TickScheduler.scheduler_lock_key, HOUR)
    assert scheduler().acquire_lock()
