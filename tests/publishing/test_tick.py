"""The tick: everything that is due fires once, whatever becomes of Redis, of schedulers, of somebody's bulk."""

import multiprocessing
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, text

from app import clock, jobs, queue
from app.db import commit, db, transaction
from app.models import Publication, Status
from app.publishing import dispatch, state_machine
from app.redis_client import redis_client
from app.services import publications
from app.services.publications import Choice
from tests.publishing.claims import claim

WORKERS = 3
BOUND = dispatch.MAX_QUEUED_PER_WORKER * WORKERS


@pytest.fixture
def environment(environment):
    return environment | {"WORKERS": str(WORKERS)}


@pytest.fixture
def due(app, user, telegram, ready_clip):
    """Makes scheduled publications that are due: `due(owner, 200)`; answers their ids."""

    def make(owner, count: int, at: datetime | None = None) -> list[int]:
        connection = telegram(owner)
        at = at or clock.now()
        common = {
            "user_id": owner.id,
            "platform": "telegram",
            "account_id": connection.account_id,
            "account_name": connection.account_name,
            "description": "",
            "status": Status.SCHEDULED,
            "due_at": at,
            "wake_at": at,
        }
        rows = [{**common, "title": str(number), "search_text": ""} for number in range(count)]
        ids = db.session.scalars(insert(Publication).returning(Publication.id), rows).all()
        db.session.commit()
        return list(ids)

    return make


def taken() -> list[int]:
    """What workers would take out of the queue now."""
    found = []
    for lane in map(queue.queue, (queue.PUBLISH, queue.BULK)):
        found += [job.args[0] for job in lane.jobs]
        lane.empty()
    return found


def fire(publication_id: int) -> bool:
    """What a worker does, in short. False if it was not to be had."""
    held = claim(publication_id)
    if held is None:
        return False
    with transaction():
        state_machine.move(publication_id, Status.PUBLISHING, *held.where())
        state_machine.move(publication_id, Status.PUBLISHED)
    return True


def tick() -> None:
    db.session.rollback()
    jobs.tick_publications()


def test_all_fire_though_redis_is_wiped_again_and_again(app, user, due):
    ids = due(user(), 200)
    fired = []
    for number in range(200):
        tick()
        if number % 3 == 0:
            redis_client().flushall()
        fired += [one for one in taken() if fire(one)]
        if len(fired) == len(ids):
            break
    assert sorted(fired) == ids


def test_a_wiped_redis_is_noticed_at_once(app, user, due):
    [one] = due(user(), 1)
    tick()
    assert taken() == [one]
    tick()
    assert taken() == [], "it is on its way"
    redis_client().flushall()
    tick()
    assert taken() == [one]


def test_a_lost_wake_up_is_sent_again_within_a_minute(app, user, due):
    [one] = due(user(), 1)
    tick()
    assert taken() == [one]
    clock.correct(clock.now() + timedelta(seconds=45))
    tick()
    assert taken() == [one]


def test_no_bulk_starves_a_single_clip(app, user, due):
    due(user(), 50, clock.now() - timedelta(minutes=5))
    [single] = due(user(), 1)
    tick()
    first = taken()
    assert single in first
    assert len(first) == BOUND + 1, "the others of the bulk wait in the database"


def test_no_more_wait_in_the_queue_than_it_is_to_hold(app, user, due):
    ids = due(user(), WORKERS)
    woken = []
    dispatch.release_due(lambda few, many: woken.extend(few + many) or True, waiting=dispatch.MOST_WAITING - 2)
    assert woken == ids[:2], "the others wait in the database"


def test_a_users_first_go_before_everybodys_others(app, user, due):
    ids = due(user(), BOUND + 2)
    tick()
    waiting = {name: [job.args[0] for job in queue.queue(name).jobs] for name in (queue.PUBLISH, queue.BULK)}
    assert waiting == {
        queue.PUBLISH: ids[: dispatch.PRIORITY_SLOTS_PER_USER],
        queue.BULK: ids[dispatch.PRIORITY_SLOTS_PER_USER : BOUND],
    }
    [single] = due(user(), 1)
    tick()
    assert queue.queue(queue.PUBLISH).jobs[-1].args == [single], "the bulk's others are behind it"


def test_a_wake_up_that_still_waits_is_not_taken_for_lost(app, user, due):
    """However long the queue is: it gives out what was put in first."""
    ids = due(user(), WORKERS)
    tick()
    clock.correct(clock.now() + timedelta(minutes=10))
    tick()
    assert taken() == ids


def test_what_a_user_begins_at_once_waits_for_the_tick_beyond_the_bound(app, user, telegram, ready_clip):
    owner = user()
    connection = telegram(owner)
    made = []
    for number in range(BOUND + 2):
        [one] = publications.publish(owner, ready_clip(owner).id, [Choice(connection.id, str(number), "")])
        commit()
        made.append(one.id)
    assert taken() == made[:BOUND]
    unacknowledged = select(Publication.id).where(Publication.queued_at.is_(None)).order_by(Publication.id)
    assert db.session.scalars(unacknowledged).all() == made[BOUND:]


def test_two_schedulers_at_once_wake_each_row_once(app, user, due):
    ids = [one for _ in range(5) for one in due(user(), WORKERS)]
    db.session.remove()
    context = multiprocessing.get_context("fork")
    together, found = context.Barrier(2), context.Queue()

    def run() -> None:
        db.engine.dispose(close=False)
        woken: list[int] = []
        together.wait()
        for _ in range(5):
            dispatch.release_due(lambda few, many: woken.extend(few + many) or True)
        found.put(woken)

    both = [context.Process(target=run) for _ in range(2)]
    for one in both:
        one.start()
    woken = found.get(timeout=60) + found.get(timeout=60)
    for one in both:
        one.join()
    assert sorted(woken) == ids


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_row_that_somebody_keeps_locked_holds_up_nobody(app, user, due):
    """A process frozen in the middle of a transaction. SQLite has but one lock, and the worker ends a frozen horse."""
    locked, *others = due(user(), WORKERS)
    with db.engine.connect() as frozen:
        frozen.execute(text("SELECT 1 FROM publications WHERE id = :id FOR UPDATE"), {"id": locked})
        tick()
        assert sorted(taken()) == others
        assert claim(locked) is None
    tick()
    assert taken() == [locked]


def test_without_redis_nothing_is_marked_as_queued(app, user, due):
    due(user(), 2)
    dispatch.release_due(lambda few, many: False)
    assert db.session.scalar(select(func.count()).where(Publication.queued_at.is_not(None))) == 0
