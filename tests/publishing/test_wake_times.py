"""What was written by a clock that was ahead wakes nevertheless, and what was written by a right one stays."""

from datetime import timedelta

import pytest

from app import clock, queue
from app.db import db
from app.models import Publication, Stage, Status
from app.platform_access import lease_times
from app.platforms.errors import LONGEST_WAIT
from app.publishing import context, wake_times
from app.queue import table
from app.services import retries
from tests.asking import asked, reads_whole
from tests.asking import plans as ways
from tests.publishing.claims import claim
from tests.publishing.conftest import look, row, settle, tick

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def set_clock(by: timedelta) -> None:
    clock.correct(clock.now() + by)


def put(publication_id: int, **values) -> None:
    db.session.rollback()
    db.session.execute(db.update(Publication).where(Publication.id == publication_id).values(**values))
    db.session.commit()


def wakes_within(publication_id: int, seconds: float) -> bool:
    tick()
    return row(publication_id).wake_at <= clock.now() + timedelta(seconds=seconds)


def test_a_click_while_the_clock_was_ahead_goes_out_when_it_is_right_again(toy, toy_publication):
    set_clock(HOUR)
    publication_id = toy_publication()
    queue.queue(table.PUBLISH).empty()
    set_clock(-HOUR)
    tick()
    assert queue.queue(table.PUBLISH).count == 1, "its wake-up was lost, and it says that it was queued in an hour"
    assert look(publication_id)
    assert toy.posts == {"1": 1}


def test_a_poll_planned_while_the_clock_was_ahead_comes_within_a_minute(toy, toy_publication):
    toy.processing = 1
    set_clock(HOUR)
    publication_id = toy_publication()
    assert look(publication_id)
    assert row(publication_id).stage == Stage.PROCESSING
    set_clock(-HOUR)
    assert wakes_within(publication_id, 61)
    assert settle(publication_id).status == Status.PUBLISHED


def test_a_retry_planned_while_the_clock_was_ahead_keeps_its_pause(app, toy, toy_publication):
    toy.answers = {"create": [500]}
    set_clock(HOUR)
    publication_id = toy_publication()
    assert look(publication_id)
    assert row(publication_id).stage == Stage.RETRY
    set_clock(-HOUR)
    pause = app.config["RETRY_SECONDS"][0]
    assert wakes_within(publication_id, pause + 1)
    assert not wakes_within(publication_id, pause - 10)


def test_a_lease_taken_while_the_clock_was_ahead_ends_when_its_holder_must(toy, toy_publication):
    publication_id = toy_publication()
    set_clock(HOUR)
    held = claim(publication_id)
    set_clock(-HOUR)
    tick()
    left = row(publication_id)
    assert left.lease_until <= clock.now() + lease_times.LONGEST_LEASE
    assert left.lease_until > clock.now() + lease_times.LONGEST_LEASE - MINUTE, "its holder may live as long as that"
    assert left.wake_at == left.lease_until + lease_times.AFTER_DEADLINE
    held.renew()  # it is still its own


def test_what_was_armed_while_the_clock_was_ahead_is_asked_about_soon(toy, toy_publication):
    toy.answers = {"publish": [0]}
    set_clock(HOUR)
    publication_id = toy_publication()
    assert look(publication_id)
    assert row(publication_id).commit_in_doubt
    set_clock(-HOUR)
    tick()
    assert row(publication_id).in_doubt_until <= clock.now() + timedelta(seconds=21)
    assert settle(publication_id).status == Status.PUBLISHED
    assert toy.posts == {"1": 1}


@pytest.mark.parametrize("by", [-HOUR, HOUR])
def test_a_scheduled_one_wakes_when_it_is_due(user, toy, toy_publication, by):
    due = (clock.now() + 2 * HOUR).replace(microsecond=0)
    publication_id = toy_publication(user(), due)
    put(publication_id, wake_at=due + by)
    tick()
    assert row(publication_id).wake_at == due


@pytest.mark.parametrize(
    ("values", "wait"),
    [
        ({"stage": Stage.WAITING}, LONGEST_WAIT),
        ({"stage": Stage.PROCESSING}, context.LONGEST_POLL),
        ({"stage": Stage.CHECKING}, context.CONFIRM_ABSENT_AFTER),
        ({"stage": Stage.RETRY, "attempt": 3}, timedelta(seconds=600)),
    ],
)
def test_what_a_right_clock_has_written_stays(toy, toy_publication, values, wait):
    publication_id = toy_publication()
    wake_at = clock.now() + wait
    put(publication_id, wake_at=wake_at, queued_at=None, **values)
    assert wake_times.clamp() == 0
    assert row(publication_id).wake_at == wake_at
    put(publication_id, wake_at=wake_at + 400 * timedelta(days=1))
    assert wake_times.clamp() == 1
    assert row(publication_id).wake_at <= wake_at + lease_times.LONGEST_LEASE


def test_held_rows_of_right_clocks_stay(toy, toy_publication):
    publication_id = toy_publication()
    held = claim(publication_id)
    held.renew(lease_times.LONGEST_LEASE)
    assert wake_times.clamp() == 0
    assert row(publication_id).lease_until > clock.now() + lease_times.LONGEST_LEASE - MINUTE


def test_what_cannot_be_confirmed_may_be_sent_again_though_it_was_armed_by_a_wrong_clock(toy, toy_publication):
    publication_id = toy_publication()
    put(
        publication_id,
        status=Status.UNCONFIRMED,
        wake_at=None,
        commit_in_doubt="publish",
        in_doubt_until=clock.now() + HOUR,
    )
    assert retries.can_resend(row(publication_id))
    put(publication_id, in_doubt_until=clock.now() + lease_times.LONGEST_LEASE)
    assert not retries.can_resend(row(publication_id))


def test_what_is_scheduled_is_not_gone_through(app, compact, crowd):
    crowd(3)
    with asked() as found:
        wake_times.clamp()
    [plan] = ways(found, "publications")
    assert "ix_publications_under_way" in plan and not reads_whole(plan, "publications"), plan
