"""The scheduler's plan against clocks that were wrong."""

from datetime import UTC, datetime

import pytest

from app import queue
from app.redis_client import redis_client
from worker import TickScheduler

HOUR = 3600
EVERY_TICK = sorted(f"tick-{name.rpartition('.')[2]}" for name in queue.PERIODIC)


@pytest.fixture
def scheduler(app):
    """Makes schedulers as several machines have one each."""
    return lambda: TickScheduler(queue_name=queue.TICKS, connection=redis_client())


def one_pass(scheduler: TickScheduler) -> list[str]:
    """What the scheduler does twice a second; returns the ticks that it has put into the queue."""
    assert scheduler.acquire_lock()
    scheduler.put_back_ticks()
    scheduler.enqueue_jobs()
    ticks = queue.queue(queue.TICKS)
    woken = sorted(ticks.job_ids)
    redis_client().delete(ticks.key)  # not `empty()`, which would take the jobs away as well
    return woken


def planned() -> dict[str, float]:
    return dict(redis_client().zrange(TickScheduler.scheduled_jobs_key, 0, -1, withscores=True))


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
    redis_client().zadd(TickScheduler.scheduled_jobs_key, {"tick-tick_housekeeping": now + 60})
    assert "tick-tick_housekeeping" not in one_pass(one)


def test_a_lock_that_a_wrong_clock_prolonged_stops_no_scheduler(scheduler):
    assert scheduler().acquire_lock()
    redis_client().expire(TickScheduler.scheduler_lock_key, HOUR)
    assert scheduler().acquire_lock()
