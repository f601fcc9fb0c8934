"""Due times against the real queue and a real worker: never early, and what is moved or cancelled stays so."""

import multiprocessing
import os
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, current_app

from app import clock, jobs, queue, texts
from app.db import commit, db
from app.models import Publication, PublicationEvent, Status
from app.problems import Problem
from app.publishing import dispatch, lease
from app.queue.table import PUBLISH
from app.services import moves, publications
from app.texts import moments
from app.workers import crew
from tests.publishing.claims import claim
from tests.publishing.conftest import look, row, settle, wait_until

HOUR = timedelta(hours=1)


def in_hours(hours: float) -> datetime:
    return (clock.now() + hours * HOUR).replace(second=0, microsecond=0)


def fall_due(publication_id: int) -> datetime:
    """As if the time until then were over: by the database's clock as by this machine's."""
    due = clock.now()
    db.session.rollback()
    db.session.execute(db.update(Publication).where(Publication.id == publication_id).values(due_at=due, wake_at=due))
    db.session.commit()
    return due


def tick() -> int:
    """The publishing tick; answers how many wake-ups lie in the queue then."""
    db.session.rollback()
    with current_app.app_context():
        jobs.release_publications()
    return queue.queue(PUBLISH).count


def work(app: Flask) -> None:
    """A real worker, with work horses of its own, until the queue is empty."""

    def ride() -> None:
        db.engine.dispose(close=False)
        crew.work(app, burst=True)
        os._exit(0)

    db.session.rollback()
    process = multiprocessing.get_context("fork").Process(target=ride)
    process.start()
    process.join()
    assert process.exitcode == 0
    assert queue.queue(PUBLISH).count == 0


def test_it_goes_out_when_it_is_due_and_not_before(app, toy, toy_publication):
    due = in_hours(1)
    publication_id = toy_publication(due_at=due)
    assert queue.queue(PUBLISH).count == tick() == 0

    queue.enqueue("app.jobs.publish", publication_id)  # a wake-up that comes too early
    work(app)
    assert row(publication_id).status == Status.SCHEDULED
    assert toy.calls == {}

    due = fall_due(publication_id)
    assert tick() == 1
    assert tick() == 1
    work(app)
    assert row(publication_id).started_at >= due
    assert settle(publication_id).status == Status.PUBLISHED
    assert toy.posts == {"1": 1}


def test_a_moment_early_is_early(toy, toy_publication):
    due = in_hours(1)
    publication_id = toy_publication(due_at=due)
    moment = due - timedelta(seconds=5)  # longer than a busy machine takes for a tick
    clock.correct(moment)
    assert tick() == 0
    clock.correct(moment)
    assert look(publication_id) is False
    clock.correct(due)
    assert tick() == 1
    assert look(publication_id) is True


def test_a_machine_whose_clock_is_ahead_does_not_fire_early(toy, toy_publication):
    due = in_hours(1)
    publication_id = toy_publication(due_at=due)
    # This machine says that it is over, the database that it is not.
    db.session.execute(db.update(Publication).values(due_at=due - 2 * HOUR, wake_at=due - 2 * HOUR))
    db.session.commit()
    clock.correct(datetime.now(UTC) - 3 * HOUR)
    assert tick() == 0
    assert look(publication_id) is False
    assert toy.calls == {}


def test_a_worker_whose_clock_is_a_moment_behind_waits_for_the_due_time(app, toy, toy_publication):
    """The tick of another machine has released the publication: it is not to be taken for lost, ten seconds long."""
    publication_id = toy_publication(due_at=in_hours(1))
    released = fall_due(publication_id)
    assert tick() == 1
    due = released + timedelta(seconds=1)
    db.session.rollback()
    db.session.execute(db.update(Publication).values(due_at=due, wake_at=due))
    db.session.commit()
    clock.correct(due - timedelta(seconds=1))
    work(app)
    publication = row(publication_id)
    assert publication.started_at >= due
    assert (publication.status, toy.posts) == (Status.PUBLISHED, {"1": 1})


def test_moved_when_its_wake_up_is_in_the_queue(app, user, toy, toy_publication):
    owner = user()
    publication_id = toy_publication(owner, in_hours(1))
    fall_due(publication_id)
    assert tick() == 1
    later = in_hours(2)
    moves.move(owner, publication_id, later)
    commit()
    work(app)
    publication = row(publication_id)
    assert (publication.status, publication.due_at, publication.queued_at) == (Status.SCHEDULED, later, None)
    assert toy.calls == {}
    assert tick() == 0

    fall_due(publication_id)
    assert tick() == 1
    work(app)
    assert settle(publication_id).status == Status.PUBLISHED
    assert toy.posts == {"1": 1}


def test_moved_to_an_earlier_time(user, toy, toy_publication):
    owner = user()
    publication_id = toy_publication(owner, in_hours(5))
    earlier = in_hours(1)
    moves.move(owner, publication_id, earlier)
    commit()
    wait_until(earlier)
    assert tick() == 1
    assert settle(publication_id).status == Status.PUBLISHED


def test_cancelled_when_its_wake_up_is_in_the_queue(app, user, toy, toy_publication):
    owner = user()
    publication_id = toy_publication(owner, in_hours(1))
    fall_due(publication_id)
    assert tick() == 1
    publications.cancel(owner, publication_id)
    commit()
    work(app)
    publication = row(publication_id)
    assert (publication.status, publication.wake_at) == (Status.CANCELLED, None)
    assert toy.calls == {}
    assert tick() == 0


@pytest.mark.parametrize("act", ["move", "cancel", "publish_now"])
def test_a_worker_that_has_taken_it_but_not_begun_lets_go(app, user, toy, toy_publication, act):
    owner, due = user(), in_hours(1)
    publication_id = toy_publication(owner, due)
    wait_until(due)
    db.session.rollback()
    with app.app_context():
        held = claim(publication_id)
    later = in_hours(2)
    if act == "move":
        moves.move(owner, publication_id, later)
        commit()
    elif act == "cancel":
        publications.cancel(owner, publication_id)
        commit()
    else:
        publications.publish_now(owner, publication_id)
        commit()
    with pytest.raises(lease.LeaseLost):
        held.renew()
    publication = row(publication_id)
    assert (publication.lease_until, publication.crashes) == (None, 0)
    if act == "move":
        assert publication.wake_at == later
        assert look(publication_id) is False
    settled = settle(publication_id)
    assert settled.status == (Status.CANCELLED if act == "cancel" else Status.PUBLISHED)
    assert sum(toy.posts.values()) == (0 if act == "cancel" else 1)


def test_what_has_begun_cannot_be_moved(user, toy, toy_publication):
    owner, due = user(), in_hours(1)
    publication_id = toy_publication(owner, due)
    toy.answers = {"upload": [500]}
    wait_until(due)
    assert look(publication_id)
    with pytest.raises(Problem, match="not_scheduled"):
        moves.move(owner, publication_id, in_hours(2))
    assert row(publication_id).status == Status.PUBLISHING
    assert settle(publication_id).status == Status.PUBLISHED


def test_published_now_instead_of_later(app, user, toy, toy_publication):
    owner, due = user(), in_hours(1)
    publication_id = toy_publication(owner, due)
    publication = publications.publish_now(owner, publication_id)
    commit()
    assert publication.status == Status.PUBLISHING
    work(app)
    assert settle(publication_id).status == Status.PUBLISHED
    wait_until(due)
    assert tick() == 0
    assert toy.posts == {"1": 1}


def test_what_came_in_between_is_the_reason(app, user, toy, toy_publication):
    owner, due = user(), in_hours(1)
    publication_id = toy_publication(owner, due)
    owner.plan_key = "free"
    db.session.commit()
    publication = settle(publication_id)
    assert (publication.status, publication.reason) == (Status.FAILED, "plan")
    assert toy.calls == {}


@pytest.mark.parametrize(("late", "status"), [(59, Status.PUBLISHED), (61, Status.FAILED)])
def test_after_an_outage_an_hours_lateness_is_made_up(toy, toy_publication, late, status):
    due = in_hours(1)
    publication_id = toy_publication(due_at=due)
    wait_until(due + timedelta(minutes=late))
    publication = settle(publication_id)
    assert publication.status == status
    assert publication.reason == (None if status == Status.PUBLISHED else "missed")


def test_a_lost_wake_up_is_sent_again(app, toy, toy_publication):
    publication_id = toy_publication(due_at=in_hours(1))
    due = fall_due(publication_id)
    assert tick() == 1
    queue.queue(PUBLISH).empty()
    assert tick() == 0
    clock.correct(due + dispatch.LOST_AFTER + timedelta(seconds=1))
    assert tick() == 1
    work(app)
    assert settle(publication_id).status == Status.PUBLISHED


def test_the_history_names_the_times(user, toy, toy_publication):
    owner, due = user(), in_hours(1)
    publication_id = toy_publication(owner, due)
    later = in_hours(3)
    moves.move(owner, publication_id, later)
    commit()
    story = db.session.query(PublicationEvent).filter_by(publication_id=publication_id).order_by(PublicationEvent.id)
    lines = [texts.event(event.kind, event.name, "Asia/Kamchatka") for event in story]
    assert lines == [
        f"Запланирована на {moments.dated(due, 'Asia/Kamchatka')}",
        f"Перенесена на {moments.dated(later, 'Asia/Kamchatka')}",
    ]
