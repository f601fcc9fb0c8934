"""The tick that comes when a publication is due: at that moment, never before it, and at no other task's cost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app import clock, jobs, queue
from app.db import db
from app.models import Publication
from app.publishing import dispatch
from app.queue.table import BULK, PERIODIC, PUBLISH, TICKS
from app.redis_client import redis_client
from app.workers.scheduler import TickScheduler, tick_id
from tests.publishing.conftest import at_work

RELEASE = tick_id("app.jobs.release_publications")
EVERY_TICK = set(map(tick_id, PERIODIC))
# By the application's clock: this machine's own is ahead, and says that everything is due.
START = datetime.now(UTC) - timedelta(hours=3)


class Time:
    """The scheduler's sleep, as its `stop` event: what it waits for passes at once, and nothing else takes time.

    After each wait the worker of the ticks does what the scheduler has put into the queue.
    """

    def __init__(self, seconds: float) -> None:
        self.now, self.end = START, START + timedelta(seconds=seconds)
        self.waits: list[float] = []
        self.released: dict[int, datetime] = {}
        self.meanwhile: Callable[[], object] = lambda: None

    def wait(self, seconds: float) -> bool:
        if RELEASE in ticks():
            at_work(jobs.release_publications)
        for publication_id in queue.waiting(PUBLISH, BULK).ids:
            self.released.setdefault(publication_id, self.now)
        self.meanwhile()
        db.session.rollback()  # a test's own transaction holds SQLite's write lock
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)
        return self.now > self.end


@pytest.fixture
def scheduler(app) -> TickScheduler:
    return TickScheduler(queue_name=TICKS, connection=redis_client())


@pytest.fixture
def pass_time(monkeypatch) -> Callable[[float], Time]:
    def begin(seconds: float) -> Time:
        time = Time(seconds)
        monkeypatch.setattr(clock, "now", lambda: time.now)
        return time

    return begin


@pytest.fixture
def due_at(toy_publication) -> Callable[..., list[int]]:
    """Makes publications that are due so many seconds after START."""

    def make(*seconds: float) -> list[int]:
        ids = [toy_publication() for _ in seconds]
        queue.queue(PUBLISH).empty()
        for publication_id, after in zip(ids, seconds, strict=True):
            move(publication_id, after)
        return ids

    return make


def move(publication_id: int, seconds: float) -> None:
    moment = START + timedelta(seconds=seconds)
    values = {"status": "scheduled", "due_at": moment, "wake_at": moment, "queued_at": None}
    db.session.execute(db.update(Publication).where(Publication.id == publication_id).values(values))
    db.session.commit()


def ticks() -> set[str]:
    """What the scheduler has put into the queue; takes it out."""
    lane = queue.queue(TICKS)
    found = set(lane.job_ids)
    redis_client().delete(lane.key)  # not `empty()`, which would take the jobs away as well
    return found


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_each_is_released_at_its_moment_and_never_before(scheduler, due_at, pass_time):
    due = 0.3, 0.301, 0.937, 2.25, 2.3, 3.0
    ids = due_at(*due)
    time = pass_time(4)
    scheduler.run_until(time)
    released = [time.released[one] for one in ids]
    alone = 0, 2, 3, 5
    assert [released[index] for index in alone] == [at(due[index]) for index in alone]
    for index in (1, 4):  # a tick is under way for the one before
        assert at(due[index]) <= released[index] <= at(due[index] + 0.1)
    assert all(0 <= seconds <= 1 for seconds in time.waits)


def test_one_that_is_scheduled_after_the_last_look_is_released_at_its_moment(scheduler, due_at, pass_time):
    [late] = due_at(3600)
    time, planned = pass_time(4), []

    def reschedule() -> None:
        """The scheduler has chosen already when to look next: within a second."""
        if time.now >= at(1) and not planned:
            planned.append(time.now + timedelta(seconds=1.6))
            move(late, (planned[0] - START).total_seconds())

    time.meanwhile = reschedule
    scheduler.run_until(time)
    assert time.released == {late: planned[0]}


def test_the_tick_comes_again_if_another_machine_found_that_it_is_not_due_yet(scheduler, due_at, pass_time):
    [one] = due_at(0)
    time = pass_time(0)
    for _ in range(3):
        assert 0 < scheduler.act() <= 0.1
        assert RELEASE in ticks()
    time.now = at(-0.001)  # the machine whose clock is behind
    at_work(jobs.release_publications)
    assert queue.waiting(PUBLISH).ids == frozenset()
    time.now = at(0.1)
    scheduler.act()
    assert RELEASE in ticks()
    at_work(jobs.release_publications)
    assert queue.waiting(PUBLISH).ids == {one}
    assert dispatch.next_due() is None


def test_no_other_task_waits_for_a_publication(scheduler, due_at, pass_time):
    due_at(0, 0.05)
    time = pass_time(0)
    scheduler.act()
    assert ticks() == EVERY_TICK, "all come, though a publication is due"
    plan = dict(redis_client().zrange(scheduler.scheduled_jobs_key, 0, -1, withscores=True))
    time.now = at(0.05)
    scheduler.act()
    came = ticks()
    assert RELEASE in came
    now, _ = redis_client().time()
    assert all(plan[name.encode()] <= now for name in came - {RELEASE}), "none comes before its time"


def test_without_the_database_the_ticks_come_each_second(scheduler, due_at, pass_time):
    [one] = due_at(0.4)
    time = pass_time(0)
    db.session.execute(text("ALTER TABLE publications RENAME TO elsewhere"))
    db.session.commit()
    try:
        assert 0 < scheduler.act() <= 1
        assert ticks() == EVERY_TICK
    finally:
        db.session.execute(text("ALTER TABLE elsewhere RENAME TO publications"))
        db.session.commit()
    time.end = at(1)
    scheduler.run_until(time)
    assert time.released == {one: at(0.4)}


def test_only_the_scheduler_that_acts_asks_what_is_due(app, scheduler, due_at, pass_time):
    due_at(0)
    pass_time(0)
    other = TickScheduler(queue_name=TICKS, connection=redis_client())
    assert other.acquire_lock()
    assert scheduler.act() == 0.5
    assert ticks() == set()
