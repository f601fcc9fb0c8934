"""The figures of an installation, against rows of every kind."""

from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.models import ConnectionStatus, Publication, PublicationEvent, Status
from app.publishing import state_machine
from app.services import heartbeats, ops


@pytest.fixture
def publication(app, user, ready_clip, telegram):
    """Makes rows: `publication(status, …)`; what has ended has its event."""
    owner = user()
    connection, clip = telegram(owner), ready_clip(owner)

    def make(status: Status, *, ended_ago: timedelta = timedelta(), **more) -> Publication:
        one = Publication(
            user_id=owner.id,
            clip_id=None if status in state_machine.SETTLED else clip.id,
            connection_id=None if status in state_machine.SETTLED else connection.id,
            platform="telegram",
            account_id="-1",
            account_name="Канал",
            title="Клип",
            status=status,
            **{"due_at": clock.now(), **more},
        )
        db.session.add(one)
        db.session.flush()
        db.session.add(PublicationEvent(publication_id=one.id, kind=status, status=status, at=clock.now() - ended_ago))
        db.session.commit()
        return one

    return make


def telegram_outcomes() -> ops.Outcomes:
    return next(one for one in ops.figures().outcomes if one.platform == "telegram")


def test_nothing_yet(app):
    figures = ops.figures()
    assert set(figures.publications.values()) == {0}
    assert (figures.due, figures.oldest_due, figures.lateness) == (0, 0.0, ops.Lateness(None, None))
    assert telegram_outcomes().success is None


def test_outcomes_of_a_day(publication):
    for _ in range(3):
        publication(Status.PUBLISHED)
    publication(Status.PUBLISHED, attempt=1)
    publication(Status.PUBLISHED, crashes=1)
    publication(Status.FAILED)
    publication(Status.FAILED, ended_ago=timedelta(hours=25))
    publication(Status.CANCELLED)
    outcomes = telegram_outcomes()
    assert (outcomes.published, outcomes.first_try, outcomes.failed) == (5, 3, 1)
    assert outcomes.success == pytest.approx(5 / 6)
    assert ops.figures().publications["failed"] == 2


def test_a_publication_that_failed_and_then_went_out_counts_once(publication):
    one = publication(Status.PUBLISHED)
    db.session.add(PublicationEvent(publication_id=one.id, kind="failed", status=Status.FAILED))
    db.session.add(PublicationEvent(publication_id=one.id, kind="receipt_found", status=Status.PUBLISHED))
    db.session.commit()
    assert (telegram_outcomes().published, telegram_outcomes().failed) == (1, 0)


def test_what_waits(publication):
    now = clock.now()
    one = publication(Status.PUBLISHING, wake_at=now - timedelta(seconds=90))
    figures = ops.figures()
    assert figures.due == 1
    assert 90 <= figures.oldest_due < 120
    assert [row.id for row in ops.waiting()] == [one.id]


def test_what_is_held_or_not_due_does_not_wait(publication):
    publication(Status.PUBLISHING, wake_at=clock.now() + timedelta(seconds=60), lease_until=clock.now())
    assert ops.figures().due == 0
    assert ops.waiting() == []


def test_lateness_of_scheduled_starts(publication):
    for late in (1, 2, 30):
        one = publication(Status.PUBLISHED, due_at=clock.now() - timedelta(seconds=late))
        db.session.add(PublicationEvent(publication_id=one.id, kind="started", status=Status.PUBLISHING))
    db.session.commit()
    lateness = ops.figures().lateness
    assert lateness.usual == pytest.approx(2, abs=1)
    assert lateness.worst == pytest.approx(30, abs=1)


def test_connections(app, user, telegram):
    connection = telegram(user())
    connection.token_expires_at = clock.now() + timedelta(days=1)
    db.session.commit()
    assert (telegram_outcomes().connections, telegram_outcomes().expiring) == (1, 1)
    connection.status = ConnectionStatus.RECONNECT
    db.session.commit()
    assert (telegram_outcomes().reconnect, telegram_outcomes().expiring) == (1, 0)


def test_living_processes(app):
    pulse = heartbeats.Pulse("worker")
    pulse.beat()
    [worker] = heartbeats.alive()
    assert (worker.kind, worker.opens_tokens) == ("worker", True)
    assert heartbeats.count() == dict.fromkeys(heartbeats.KINDS, 0) | {"worker": 1}
    worker.seen_at = clock.now() - heartbeats.ALIVE
    db.session.commit()
    assert heartbeats.alive() == []
    worker.seen_at = clock.now() - heartbeats.KEPT
    db.session.commit()
    heartbeats.sweep()
    db.session.commit()
    assert heartbeats.count()["worker"] == 0
    pulse.stop()
