"""A real worker of RQ with its work horse: how it ends, and what becomes of the row in its hands."""

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from app import clock, queue
from app.db import db
from app.models import Clip, ClipStatus, Stage, Status, User
from app.publishing import lease_expiry
from app.queue.table import BULK, CHORES, CLIPS, JOBS, MAILS, PUBLISH, REMOVALS, STATS
from app.storage import storage
from app.workers import crew, worker
from tests.clips import new_key
from tests.publishing.conftest import row, settle
from tests.publishing.toy import Hold

LONG, SHORT = 60.0, 0.2
WITHIN_SECONDS = 40


def wait_for(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WITHIN_SECONDS
    while not true():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.05)


@pytest.fixture
def work(app) -> Iterator[Callable[..., multiprocessing.Process]]:
    """Starts a worker: `work("spare", upload_grace=…, commit_grace=…, monitor_interval=…)`, all in seconds."""
    started: list[multiprocessing.Process] = []

    def start(kind: str = "worker", **how: float) -> multiprocessing.Process:
        def live() -> None:
            db.engine.dispose(close=False)
            crew.work(app, kind, **how)
            os._exit(0)

        db.session.remove()
        process = multiprocessing.get_context("fork").Process(target=live)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        if process.is_alive():
            process.kill()
        process.join()


def end(process: multiprocessing.Process) -> int:
    """Asks it to end, and waits."""
    os.kill(process.pid, signal.SIGTERM)
    process.join(WITHIN_SECONDS)
    return process.exitcode


def published_once(toy, publication_id: int, hold: Hold) -> bool:
    hold.let_go()
    return settle(publication_id).status == Status.PUBLISHED and list(toy.posts.values()) == [1]


def test_a_worker_that_has_worked_ends_when_it_is_idle(toy, toy_publication, work):
    """Its supervisor forks another, which shares its parent's memory."""
    one = work(renew_after_idle=1)
    time.sleep(3)
    assert one.is_alive(), "it has not worked yet"
    publication_id = toy_publication()
    db.session.remove()  # the worker needs SQLite's write lock
    one.join(WITHIN_SECONDS)
    assert one.exitcode == 0
    assert row(publication_id).status == Status.PUBLISHED


def test_an_upload_may_end_within_the_grace_period(toy, toy_publication, work):
    hold = toy.hold("upload")
    publication_id = toy_publication()
    one = work(upload_grace=LONG)
    assert hold.arrived.wait(WITHIN_SECONDS)
    os.kill(one.pid, signal.SIGTERM)
    hold.let_go()
    one.join(WITHIN_SECONDS)
    assert one.exitcode == 0
    assert row(publication_id).status == Status.PUBLISHED
    assert row(publication_id).crashes == 0


def test_an_upload_that_takes_longer_is_given_back(toy, toy_publication, work):
    hold = toy.hold("upload")
    publication_id = toy_publication()
    one = work(upload_grace=SHORT)
    assert hold.arrived.wait(WITHIN_SECONDS)
    assert end(one) == 0
    left = row(publication_id)
    assert (left.lease_until, left.stage, left.crashes) == (None, Stage.QUEUED, 0)
    assert left.wake_at <= clock.now()
    assert published_once(toy, publication_id, hold)
    assert toy.calls["create"] == 1, "what was created is not created again"


def test_a_commit_gets_a_little_longer(toy, toy_publication, work):
    hold = toy.hold("publish")
    publication_id = toy_publication()
    one = work(upload_grace=SHORT, commit_grace=LONG)
    assert hold.arrived.wait(WITHIN_SECONDS)
    os.kill(one.pid, signal.SIGTERM)
    time.sleep(2 * SHORT)
    hold.let_go()
    one.join(WITHIN_SECONDS)
    assert one.exitcode == 0
    assert row(publication_id).status == Status.PUBLISHED
    assert toy.calls["publish"] == 1


def test_a_commit_that_is_cut_off_is_asked_about_soon(toy, toy_publication, work):
    hold = toy.hold("publish")
    publication_id = toy_publication()
    one = work(upload_grace=SHORT, commit_grace=SHORT)
    assert hold.arrived.wait(WITHIN_SECONDS)
    assert end(one) == 0
    left = row(publication_id)
    assert left.commit_in_doubt == "publish"
    assert left.wake_at <= clock.now(), "the lease of a dead work horse is not waited for"
    assert (left.in_doubt_until - clock.now()).total_seconds() < 25
    assert published_once(toy, publication_id, hold)


def test_the_second_signal_ends_the_grace_but_gives_the_row_back(toy, toy_publication, work):
    hold = toy.hold("upload")
    publication_id = toy_publication()
    one = work(upload_grace=LONG)
    assert hold.arrived.wait(WITHIN_SECONDS)
    give_up = time.monotonic() + WITHIN_SECONDS
    while one.is_alive() and time.monotonic() < give_up:  # a signal that comes too soon counts as the first
        os.kill(one.pid, signal.SIGTERM)
        one.join(worker.SAME_SIGNAL.total_seconds() + 0.2)
    assert one.exitcode == 0
    assert row(publication_id).lease_until is None
    assert published_once(toy, publication_id, hold)


def test_a_work_horse_dies_with_its_worker_and_its_row_is_not_waited_for(toy, toy_publication, work):
    hold = toy.hold("upload")
    publication_id = toy_publication()
    one = work()
    assert hold.arrived.wait(WITHIN_SECONDS)
    one.kill()
    one.join()
    wait_for(lambda: lease_expiry.expire_leases_of_dead_workers() == 1)
    assert row(publication_id).wake_at <= clock.now()
    assert published_once(toy, publication_id, hold)


def test_a_work_horse_that_is_killed_leaves_its_row_to_the_next_job_at_once(toy, toy_publication, work):
    hold = toy.hold("upload")
    publication_id = toy_publication()
    work()
    assert hold.arrived.wait(WITHIN_SECONDS)
    os.kill(int(row(publication_id).holder.split(":")[1]), signal.SIGKILL)
    wait_for(lambda: row(publication_id).wake_at <= clock.now())
    assert published_once(toy, publication_id, hold)


def test_a_stopped_work_horse_is_killed_by_its_worker(toy, toy_publication, work):
    """It may hold SQLite's one write lock."""
    hold = toy.hold("upload")
    publication_id = toy_publication()
    work(monitor_interval=1)
    assert hold.arrived.wait(WITHIN_SECONDS)
    os.kill(int(row(publication_id).holder.split(":")[1]), signal.SIGSTOP)
    wait_for(lambda: row(publication_id).wake_at <= clock.now())
    assert published_once(toy, publication_id, hold)


def test_a_work_horse_goes_on_with_what_else_waits(toy, toy_publication, work):
    """To fork one costs more than a small clip."""
    ids = [toy_publication() for _ in range(3)]
    work()
    wait_for(lambda: all(row(one).status == Status.PUBLISHED for one in ids))
    assert len({row(one).holder for one in ids}) == 1
    assert queue.lengths()[PUBLISH] == 0


def test_a_work_horse_waits_for_what_is_ready_in_a_moment_and_not_for_longer(toy, toy_publication, work):
    """There is no tick in this test: what is due later stays."""
    toy.processing = 1
    soon = toy_publication()
    work()
    wait_for(lambda: row(soon).status == Status.PUBLISHED)
    toy.processing = 1000
    late = toy_publication()
    wait_for(lambda: row(late).stage == Stage.PROCESSING and row(late).wake_at < clock.now() - timedelta(seconds=1))
    assert row(late).lease_until is None


def test_a_work_horse_that_is_killed_in_what_it_went_on_with_leaves_that_row_too(toy, toy_publication, work):
    first = toy_publication()
    work()
    wait_for(lambda: row(first).status == Status.PUBLISHED)
    hold = toy.hold("upload")
    one, other = toy_publication(), toy_publication()
    db.session.remove()  # the worker needs SQLite's write lock
    assert hold.arrived.wait(WITHIN_SECONDS)
    hold.let_go()
    hold = toy.hold("upload")
    wait_for(lambda: row(other).lease_until)
    assert hold.arrived.wait(WITHIN_SECONDS)
    os.kill(int(row(other).holder.split(":")[1]), signal.SIGKILL)
    wait_for(lambda: row(other).wake_at <= clock.now())
    hold.let_go()
    assert [settle(each).status for each in (one, other)] == [Status.PUBLISHED] * 2
    assert list(toy.posts.values()) == [1, 1, 1]


def test_a_flood_of_clips_takes_no_worker_that_publishes(app, toy, toy_publication, work, user, unprobed):
    clip_id = unprobed(user())
    published = {"worker": toy_publication(), "spare": toy_publication()}
    queue.queue(PUBLISH).empty()
    queue.enqueue("app.jobs.probe", clip_id)
    for kind, one in published.items():
        queue.enqueue("app.jobs.publish", one)
        publishing = work(kind)
        wait_for(lambda one=one: row(one).status == Status.PUBLISHED)
        end(publishing)
    assert queue.lengths()[CLIPS] == 1
    work("probe")
    wait_for(lambda: _status(clip_id) == ClipStatus.READY)


@pytest.fixture
def unprobed(app, vertical_file, tmp_path) -> Callable[[User], int]:
    def make(owner: User) -> int:
        copy = tmp_path / "copy.mp4"
        shutil.copy(vertical_file, copy)
        clip = Clip(
            user_id=owner.id,
            title="Клип",
            file_name="clip.mp4",
            size=copy.stat().st_size,
            storage_key=storage().put_file(copy, new_key()),
            wake_at=clock.now(),
        )
        db.session.add(clip)
        db.session.commit()
        return clip.id

    return make


def _status(clip_id: int) -> str:
    db.session.rollback()
    return db.session.scalar(db.select(Clip.status).where(Clip.id == clip_id))


def test_no_kind_of_work_can_take_all_workers_of_another(app):
    """Mail, platforms and buckets may hang: what waits for them is taken by some only."""
    config = {**app.config, "WORKERS": 10, "INBOX_URL": "file:///inbox", "NOTIFY_BOT_TOKEN": "1:token"}
    lanes = {name: run.keywords.get("queues") or crew.QUEUES[run.keywords["kind"]] for name, run in crew.crew(config)}
    publish = {name for name, queues in lanes.items() if PUBLISH in queues}
    assert len(publish) == config["WORKERS"] + crew.SPARES
    for other in (CHORES, MAILS, STATS):
        busy = {name for name, queues in lanes.items() if other in queues}
        assert busy and len(busy & publish) <= len(publish) / 2
    for other in (CLIPS, REMOVALS):
        assert not {name for name, queues in lanes.items() if other in queues} & publish
    assert set(JOBS.values()) | {BULK} == {name for queues in lanes.values() for name in queues}


def test_a_spare_worker_leaves_a_bulk_to_the_others(toy, toy_publication, work):
    bulk, first = toy_publication(), toy_publication()
    queue.queue(PUBLISH).empty()
    queue.enqueue("app.jobs.publish", bulk, into=BULK)
    queue.enqueue("app.jobs.publish", first)
    spare = work("spare")
    wait_for(lambda: row(first).status == Status.PUBLISHED)
    end(spare)
    assert row(bulk).status == Status.PUBLISHING and row(bulk).holder is None
    work()
    wait_for(lambda: row(bulk).status == Status.PUBLISHED)
