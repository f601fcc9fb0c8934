"""Write access to Redis is no code in a worker: what is not a declared wake-up is removed, and the next job runs."""

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from rq import Callback, Queue, Repeat, Retry
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import DefaultSerializer, JSONSerializer
from rq.webhook import Webhook

from app import clock, queue
from app.db import db
from app.queue.table import BULK, CHORES, JOBS, PERIODIC, PUBLISH, TICKS
from app.queue.wake_ups import WakeUp
from app.workers import crew
from app.workers.scheduler import TickScheduler, tick_id

LANES = [*sorted({*JOBS.values()}), BULK, TICKS]
WITHIN_SECONDS = 60
NO_ROW = 0
GOOD = dict.fromkeys(LANES, ("app.jobs.probe", NO_ROW)) | {TICKS: ("app.jobs.release_stats",)}
MARKER = "VEZDE_TEST_MARKER"


def mark(*_arguments) -> None:
    Path(os.environ[MARKER]).touch()


class Evil:
    """Unpickling it runs a command."""

    def __reduce__(self):
        return subprocess.call, (["touch", os.environ[MARKER]],)


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "marker"
    monkeypatch.setenv(MARKER, str(path))
    return path


@pytest.fixture
def store(app, marker: Path) -> redis.Redis:
    return redis.Redis.from_url(app.config["REDIS_URL"])


@pytest.fixture
def work(app, marker: Path) -> Callable[[str], None]:
    """A worker of that lane works off what lies there, and comes to its own end."""

    def run(lane: str) -> None:
        def live() -> None:
            db.engine.dispose(close=False)
            crew.run_ticks(app, burst=True) if lane == TICKS else crew.work(app, burst=True, queues=[lane])
            os._exit(0)

        db.session.remove()
        process = multiprocessing.get_context("fork").Process(target=live)
        process.start()
        process.join(WITHIN_SECONDS)
        alive = process.is_alive()
        process.kill()
        assert not alive and process.exitcode == 0

    return run


def put(store: redis.Redis, lane: str, name: str, *arguments, serializer=JSONSerializer, **more) -> Job:
    return Queue(lane, connection=store, serializer=serializer).enqueue(name, *arguments, **more)


def change(store: redis.Redis, lane: str, **fields) -> None:
    """A wake-up as it should be, but for these fields."""
    store.hset(put(store, lane, *GOOD[lane]).key, mapping=fields)


def packed(*parts) -> bytes:
    return zlib.compress(json.dumps(parts).encode())


def push(store: redis.Redis, lane: str, job_id: str | bytes) -> None:
    store.rpush(f"rq:queue:{lane}", job_id)


def wrong_type(store: redis.Redis, lane: str) -> None:
    store.set("rq:job:text", "x")
    push(store, lane, "text")


def abandoned(store: redis.Redis, lane: str) -> None:
    """Each in the registry of what is running, long overdue: RQ's own clean-up calls the callback of the first."""
    job = put(store, lane, *GOOD[lane], on_failure=Callback(mark))
    store.lrem(f"rq:queue:{lane}", 0, job.id)
    store.hset(job.key, "status", "started")
    exec_job = put(store, lane, "builtins.exec", "1", serializer=DefaultSerializer)
    store.zadd(f"rq:wip:{lane}", {f"{job.id}:1": 1, f"{exec_job.id}:1": 1, "no-execution": 1, b"\xff": 1, "gone:1": 1})


def ready(store: redis.Redis, lane: str) -> None:
    job = put(store, lane, "tests.test_queue.mark")
    store.hset(job.key, "status", "ready_to_enqueue")
    store.zadd(f"rq:ready:{lane}", {job.id: 1, b"\xff": 1})


def stuck(store: redis.Redis, lane: str) -> None:
    job = put(store, lane, "tests.test_queue.mark")
    store.rpush(f"rq:queue:{lane}:intermediate", job.id, b"\xff", "bad id")


def dependent(store: redis.Redis, lane: str) -> None:
    good = put(store, lane, *GOOD[lane])
    put(store, lane, "tests.test_queue.mark", depends_on=good)
    store.sadd(f"rq:job:{good.id}:dependents", "nothing", "bad id")


WEBHOOK = Webhook("http://127.0.0.1:9", "finished")
EXEC = "import os; open(os.environ['VEZDE_TEST_MARKER'], 'w')"
FOREIGN: dict[str, Callable[[redis.Redis, str], object]] = {
    "pickled exec": lambda store, lane: put(store, lane, "builtins.exec", EXEC, serializer=DefaultSerializer),
    "exec": lambda store, lane: put(store, lane, "builtins.exec", EXEC),
    "a function": lambda store, lane: put(store, lane, "tests.test_queue.mark"),
    "with an id": lambda store, lane: put(store, lane, "tests.test_queue.mark", 1),
    "a private one": lambda store, lane: put(store, lane, "app.jobs._wake", 1),
    "what jobs import": lambda store, lane: put(store, lane, "app.jobs.engine.advance", 1),
    "pickled argument": lambda store, lane: put(store, lane, GOOD[lane][0], Evil(), serializer=DefaultSerializer),
    "pickled data": lambda store, lane: change(store, lane, data=pickle.dumps(Evil())),
    "pickled result": lambda store, lane: change(store, lane, result=pickle.dumps(Evil())),
    "text": lambda store, lane: put(store, lane, GOOD[lane][0], "1"),
    "two": lambda store, lane: put(store, lane, GOOD[lane][0], 1, 2),
    "a dictionary": lambda store, lane: put(store, lane, GOOD[lane][0], {"id": 1}),
    "a list": lambda store, lane: put(store, lane, GOOD[lane][0], [1]),
    "true": lambda store, lane: put(store, lane, GOOD[lane][0], True),
    "a fraction": lambda store, lane: put(store, lane, GOOD[lane][0], 1.0),
    "nothing": lambda store, lane: put(store, lane, GOOD[lane][0], None),
    "negative": lambda store, lane: put(store, lane, GOOD[lane][0], -1),
    "too many digits": lambda store, lane: put(store, lane, GOOD[lane][0], 10**30),
    "a keyword": lambda store, lane: put(store, lane, *GOOD[lane], x=1),
    "an instance": lambda store, lane: change(store, lane, data=packed(GOOD[lane][0], "x", GOOD[lane][1:], {})),
    "no list": lambda store, lane: change(store, lane, data=packed(GOOD[lane][0])),
    "a name of lists": lambda store, lane: change(store, lane, data=packed([], None, [], {})),
    "deep": lambda store, lane: change(store, lane, data=b"[" * 900),
    "on success": lambda store, lane: put(store, lane, *GOOD[lane], on_success=Callback(mark)),
    "on failure": lambda store, lane: put(store, lane, GOOD[lane][0], "x", on_failure=Callback(mark)),
    "on stopped": lambda store, lane: put(store, lane, *GOOD[lane], on_stopped=Callback(mark)),
    "a webhook": lambda store, lane: put(store, lane, *GOOD[lane], webhooks=[WEBHOOK]),
    "retries": lambda store, lane: put(store, lane, *GOOD[lane], retry=Retry(max=1)),
    "repeats": lambda store, lane: put(store, lane, *GOOD[lane], repeat=Repeat(times=9)),
    "a group": lambda store, lane: change(store, lane, group_id="x"),
    "a rate limit": lambda store, lane: change(store, lane, rate_limit_key="x", rate_limit_concurrency=1),
    "dependencies": lambda store, lane: change(store, lane, dependency_ids="[1"),
    "an unknown field": lambda store, lane: change(store, lane, serializer="pickle"),
    "a status": lambda store, lane: change(store, lane, status="evil"),
    "a time": lambda store, lane: change(store, lane, enqueued_at="yesterday"),
    "a lifetime": lambda store, lane: change(store, lane, result_ttl="long"),
    "another's lane": lambda store, lane: change(store, lane, origin=b"\xff"),
    "a bomb": lambda store, lane: change(store, lane, data=zlib.compress(bytes(100 << 20))),
    "a giant": lambda store, lane: change(store, lane, data=b"[" * (20 << 20)),
    "no text id": lambda store, lane: push(store, lane, b"\xff\xfe"),
    "no job's id": lambda store, lane: push(store, lane, "bad id:x y"),
    "empty id": lambda store, lane: push(store, lane, ""),
    "not a hash": wrong_type,
    "abandoned": abandoned,
    "ready": ready,
    "stuck": stuck,
    "dependent": dependent,
}


def done(store: redis.Redis) -> int:
    return sum(int(store.hget(key, "successful_job_count") or 0) for key in store.scan_iter("rq:worker:*"))


@pytest.mark.parametrize("lane", [PUBLISH, TICKS])
def test_foreign_jobs_are_removed_and_the_next_one_runs(store, work, marker, lane):
    for put_in in FOREIGN.values():
        put_in(store, lane)
    queued = store.llen(f"rq:queue:{lane}")
    assert queued > 40
    put(store, lane, *GOOD[lane])
    work(lane)
    assert not marker.exists()
    # The last one, and what the others' jobs depended on.
    assert (done(store), store.llen(f"rq:queue:{lane}")) == (2, 0)


@pytest.mark.parametrize("lane", LANES)
def test_on_every_queue(store, work, marker, lane):
    for way in ("pickled exec", "exec", "pickled argument", "on success", "abandoned"):
        FOREIGN[way](store, lane)
    put(store, lane, *GOOD[lane])
    work(lane)
    assert not marker.exists()
    assert done(store) == 1


def test_what_is_refused_is_not_kept(store):
    for way in FOREIGN.keys() - {"dependent", "abandoned"}:
        FOREIGN[way](store, CHORES)
        for job_id in store.lrange(f"rq:queue:{CHORES}", 0, -1):
            with pytest.raises(NoSuchJobError):
                WakeUp.fetch(job_id.decode(errors="replace"), connection=store)
            assert not store.exists(b"rq:job:" + job_id), way


def test_what_it_was_is_logged_without_its_arguments(store, caplog):
    put(store, CHORES, "evil." + "x" * 500, "secret-argument")
    assert queue.queue(CHORES).jobs == []
    line = next(one.getMessage() for one in caplog.records if "foreign job" in one.getMessage())
    assert "evil.xxx" in line and "secret" not in line and len(line) < 500


def test_neither_lane_runs_what_is_of_the_other(store, work):
    """Ticks do not fork and hold no private key; their worker must not publish."""
    push(store, TICKS, put(store, PUBLISH, "app.jobs.publish", NO_ROW).id)
    put(store, TICKS, "app.jobs.publish", NO_ROW)
    put(store, PUBLISH, "app.jobs.release_stats")
    work(TICKS)
    work(PUBLISH)
    assert done(store) == 0


def test_a_work_horse_takes_no_foreign_job(app, store):
    for put_in in FOREIGN.values():
        put_in(store, PUBLISH)
    put(store, PUBLISH, "app.jobs.publish", 7)
    own = WakeUp.create("app.jobs.publish", [1], connection=store, origin=PUBLISH)
    found = []
    own._execute = lambda: found.extend(iter(queue.next_publication, None))
    own.perform()
    assert found == [7]


def test_foreign_jobs_do_not_hide_which_rows_wait(app, store):
    put(store, PUBLISH, "builtins.exec", "1", serializer=DefaultSerializer)
    store.rpush(f"rq:queue:{PUBLISH}", b"\xff", "9" * 400 + "-" + "a" * 32)
    assert queue.enqueue("app.jobs.publish", 7)
    waiting = queue.waiting(PUBLISH)
    assert (waiting.count, waiting.ids) == (4, {7})


@pytest.fixture
def scheduler(app, marker) -> Iterator[TickScheduler]:
    yield TickScheduler(TICKS, connection=redis.Redis.from_url(app.config["REDIS_URL"]))


def test_the_scheduler_hands_out_ticks_only(store, scheduler, work, marker):
    key = scheduler.scheduled_jobs_key
    meta = pickle.dumps(Evil()), json.dumps({"queue_class_name": "tests.test_queue.mark", "cron_string": "* * * * *"})
    for index, one in enumerate(meta):
        job = put(store, TICKS, "builtins.exec", EXEC, serializer=DefaultSerializer, job_id=f"foreign-{index}")
        store.hset(job.key, "meta", one)
        store.zadd(key, {job.id: 1, b"\xff": 1, "bad id": 1})
    store.delete(f"rq:queue:{TICKS}")
    scheduler.put_back_ticks()
    # And one that stands where a tick stood.
    store.hset("rq:job:tick-app-jobs-wake_recovery_mails", mapping={"data": pickle.dumps(Evil()), "meta": meta[0]})
    store.hset("rq:job:tick-app-jobs-wake_probes", mapping={"meta": meta[1]})
    store.delete("rq:job:tick-app-jobs-release_stats")
    store.set("rq:job:tick-app-jobs-release_stats", "no hash")
    for _ in range(2):
        list(scheduler.enqueue_jobs())
        scheduler.put_back_ticks()
    planned = {one.decode() for one in store.zrange(key, 0, -1)}
    assert planned == {tick_id(name) for name in PERIODIC}
    work(TICKS)
    assert not marker.exists()
    assert done(store) >= len(PERIODIC) - 2
    assert store.hget("rq:job:tick-app-jobs-wake_recovery_mails", "meta") == b'{"interval": 5}'


def test_a_scheduler_lives_on_beside_foreign_entries(app, store, scheduler):
    stop = threading.Event()
    store.zadd(scheduler.scheduled_jobs_key, {b"\xff": 1, "x": 1})
    app_context = app.app_context()

    def live() -> None:
        with app_context:
            scheduler.run_until(stop)

    thread = threading.Thread(target=live)
    thread.start()
    give_up = time.monotonic() + WITHIN_SECONDS
    while store.llen(f"rq:queue:{TICKS}") < len(PERIODIC) and time.monotonic() < give_up:
        store.zadd(scheduler.scheduled_jobs_key, {b"\xff": 1})
        time.sleep(0.05)
    stop.set()
    thread.join()
    assert store.llen(f"rq:queue:{TICKS}") >= len(PERIODIC)


def test_no_command_from_redis_stops_a_worker(app, store, work):
    """RQ's own: shut down, kill the work horse."""
    process = multiprocessing.get_context("fork").Process(target=lambda: crew.work(app))
    db.session.remove()
    process.start()
    try:
        give_up = time.monotonic() + WITHIN_SECONDS
        while not store.smembers("rq:workers") and time.monotonic() < give_up:
            time.sleep(0.05)
        name = store.smembers("rq:workers").pop().decode().rpartition(":")[2]
        assert store.publish(f"rq:pubsub:{name}", json.dumps({"command": "shutdown"})) == 0
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.join(WITHIN_SECONDS)


def test_a_wake_up_keeps_its_time(app, store):
    before = clock.now()
    assert queue.enqueue("app.jobs.publish", 7)
    (job,) = queue.queue(PUBLISH).jobs
    assert (job.func_name, job.args, job.timeout, job.meta) == ("app.jobs.publish", [7], -1, {})
    assert abs((job.enqueued_at - before).total_seconds()) < WITHIN_SECONDS
