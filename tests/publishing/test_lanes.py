"""Two lanes to the workers: which one a wake-up takes, and that one lost in either comes again."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from app import clock, jobs, queue
from app.db import commit, db
from app.models import Heartbeat, Publication, PublicationStep, Stage, Status
from app.publishing import dispatch
from app.services import publications
from app.services.publications import Choice
from tests.publishing.conftest import at_work, row

AGES = timedelta(hours=2)
LANES = (queue.PUBLISH, queue.BULK)


def lanes() -> dict[str, list[int]]:
    return {name: [job.args[0] for job in queue.queue(name).jobs] for name in LANES}


def tick() -> None:
    at_work(jobs.tick_publications)


def pass_by(time: timedelta) -> None:
    clock.correct(clock.now() + time)


@pytest.fixture
def under_way(app, telegram):
    """Makes publications of one owner that have begun and are due now: `under_way(owner, 8, stage=…)`."""

    def make(owner, count: int, queued: bool = False, **values) -> list[int]:
        queue.waiting(*LANES)  # Redis is known since before they are queued
        connection = telegram(owner)
        now = clock.now()
        columns = {"status": Status.PUBLISHING, "due_at": now, "started_at": now, "wake_at": now} | values
        columns["queued_at"] = now if queued else None
        rows = [
            Publication(
                user_id=owner.id,
                connection_id=connection.id,
                platform="telegram",
                account_id=connection.account_id,
                account_name=connection.account_name,
                title=str(number),
                **columns,
            )
            for number in range(count)
        ]
        db.session.add_all(rows)
        db.session.commit()
        return [one.id for one in rows]

    return make


@pytest.mark.parametrize(("lost", "old"), [LANES, LANES[::-1]])
def test_a_wake_up_lost_in_one_lane_comes_again_though_the_other_has_waited_for_ages(user, under_way, lost, old):
    """Taken out by a worker that died, while the other lane waits behind long uploads."""
    [waits] = under_way(user(), 1, stage=Stage.QUEUED, queued=True)
    queue.enqueue("app.jobs.publish", waits, into=old)
    pass_by(AGES)
    [one] = under_way(user(), 1, stage=Stage.QUEUED, queued=True)
    tick()
    assert lanes() == {lost: [], old: [waits]}, "it may just have been taken out"
    pass_by(dispatch.LOST_AFTER + timedelta(seconds=1))
    tick()
    assert sorted(lanes()[queue.PUBLISH] + lanes()[queue.BULK]) == [waits, one], "and the other is still there"


def test_one_that_has_just_been_taken_out_is_not_sent_again_however_long_it_waited(user, under_way):
    [one] = under_way(user(), 1, stage=Stage.QUEUED, queued=True)
    queue.enqueue("app.jobs.publish", one)
    pass_by(AGES)
    tick()
    queue.queue(queue.PUBLISH).empty()
    tick()
    assert lanes()[queue.PUBLISH] == [], "its worker is about to claim it"
    pass_by(dispatch.LOST_AFTER)
    tick()
    assert lanes()[queue.PUBLISH] == [one]


def test_nothing_counts_as_lost_because_redis_was_first_seen_in_two_hours(app, user, under_way):
    pass_by(AGES)
    queue.waiting(*LANES)
    pass_by(-AGES)
    [one] = under_way(user(), 1, stage=Stage.QUEUED, queued=True)
    tick()
    queue.queue(queue.PUBLISH).empty()
    tick()
    assert lanes()[queue.PUBLISH] == [], "no flood of wake-ups until the time that the wrong clock wrote down"
    assert row(one).queued_at


BRIEF = [
    {"stage": Stage.PROCESSING},
    {"stage": Stage.CHECKING, "commit_in_doubt": "publish"},
    {"stage": Stage.WAITING, "has_receipt": True},
    {"stage": Stage.QUEUED, "has_receipt": True},
    {"status": Status.CANCELLED},
]


@pytest.mark.parametrize("values", BRIEF)
def test_a_look_that_sends_no_file_goes_first_however_many_there_are(user, under_way, values):
    owner = user()
    uploads = under_way(owner, dispatch.PRIORITY_SLOTS_PER_USER + 2, stage=Stage.QUEUED)
    brief = under_way(owner, dispatch.PRIORITY_SLOTS_PER_USER + 2, **values)
    tick()
    assert sorted(lanes()[queue.PUBLISH]) == uploads[: dispatch.PRIORITY_SLOTS_PER_USER] + brief
    assert lanes()[queue.BULK] == uploads[dispatch.PRIORITY_SLOTS_PER_USER :]


@pytest.mark.parametrize("step", ["upload", "processed: since"])
def test_what_has_sent_its_file_goes_first_whatever_it_waits_for(user, under_way, step):
    ids = under_way(user(), dispatch.PRIORITY_SLOTS_PER_USER + 2, stage=Stage.RETRY, attempt=1)
    db.session.add_all(PublicationStep(publication_id=one, name=step, sealed_answer=b"") for one in ids)
    db.session.commit()
    tick()
    assert lanes() == {queue.PUBLISH: ids, queue.BULK: []}


def test_uploads_up_to_the_bound_do_not_hold_up_a_poll(app, user, under_way):
    owner, bound = user(), dispatch.MAX_QUEUED_PER_WORKER * app.config["WORKERS"]
    under_way(owner, bound, stage=Stage.QUEUED)
    tick()
    [poll] = under_way(owner, 1, stage=Stage.PROCESSING)
    tick()
    assert lanes()[queue.PUBLISH][-1] == poll


def test_polls_of_one_user_are_bounded_too(app, user, under_way):
    bound = dispatch.MAX_QUEUED_PER_WORKER * app.config["WORKERS"]
    under_way(user(), bound + 5, stage=Stage.PROCESSING)
    [single] = under_way(user(), 1, stage=Stage.QUEUED)
    tick()
    first = lanes()[queue.PUBLISH]
    assert len(first) == bound + 1
    assert first.index(single) <= 1, "everybody's first goes before anybody's second"


def test_what_a_platform_works_on_does_not_put_a_click_into_the_bulk(user, under_way, telegram, ready_clip):
    owner = user()
    under_way(
        owner, dispatch.PRIORITY_SLOTS_PER_USER, stage=Stage.PROCESSING, wake_at=clock.now() + timedelta(minutes=1)
    )
    [made] = publications.publish(owner, ready_clip(owner).id, [Choice(telegram(owner).id, "Клип", "")])
    commit()
    assert lanes() == {queue.PUBLISH: [made.id], queue.BULK: []}


# What the queue did not take


class Broken(Exception):
    """Not an error of Redis."""


def fail(*_lanes) -> bool:
    raise Broken


def test_what_the_tick_could_not_hand_over_is_found_again_at_once(user, under_way):
    [one] = under_way(user(), 1, stage=Stage.QUEUED)
    with pytest.raises(Broken):
        at_work(dispatch.release_due, fail)
    tick()
    assert lanes()[queue.PUBLISH] == [one]


def test_what_a_click_could_not_hand_over_is_found_by_the_next_tick(user, under_way):
    owner = user()
    [one] = under_way(owner, 1, stage=Stage.QUEUED, queued=True)
    with pytest.raises(Broken):
        dispatch.release_now(owner.id, [one], fail)
    assert row(one).queued_at is None


def test_a_part_of_a_tick_that_fails_stops_no_other(user, under_way):
    [one] = under_way(user(), 1, stage=Stage.QUEUED)
    under_way(user(), 1, holder="unreadable", lease_until=clock.now(), wake_at=clock.now() + timedelta(minutes=1))
    with pytest.raises(ExceptionGroup):
        tick()
    assert lanes()[queue.PUBLISH] == [one]


def test_housekeeping_goes_on_where_one_part_fails(app):
    db.session.execute(text("ALTER TABLE uploads RENAME TO elsewhere"))
    then = clock.now() - timedelta(days=2)
    db.session.add(Heartbeat(name="a", kind="worker", opens_tokens=False, started_at=then, seen_at=then))
    db.session.commit()
    with pytest.raises(ExceptionGroup):
        at_work(jobs.tick_housekeeping)
    assert db.session.query(Heartbeat).count() == 0
