"""Disconnecting while publications are under way: what has not been sent is cancelled, what is not ends truthfully."""

import signal
from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.models import WITH_DELETED, PlatformConnection, Publication, PublicationEvent, PublicationStep, Stage, Status
from app.platforms.base import Receipt
from app.publishing import receipts
from app.publishing.lease import Lease
from app.services import connections, publications, retries
from tests.edges import committed
from tests.notifications.reading import notifications
from tests.publishing.conftest import fresh, in_a_work_horse, look, row, settle, too_late_to_undo, wait_until
from tests.publishing.toy import Toy


def disconnect(owner, publication_id: int) -> connections.Disconnection:
    db.session.rollback()
    return committed(connections.disconnect(fresh(owner), row(publication_id).connection_id))


def history(publication_id: int) -> list[tuple[str, str | None]]:
    events = db.session.query(PublicationEvent).filter_by(publication_id=publication_id)
    history = [(event.kind, event.name) for event in events.order_by(PublicationEvent.id)]
    db.session.rollback()  # or SQLite's write lock would stay with this test
    return history


def test_what_waits_is_cancelled(toy, toy_publication, owner):
    publication_id = toy_publication(owner)
    assert disconnect(owner, publication_id) == connections.Disconnection(cancelled=1, finishing=0)
    assert db.session.query(PlatformConnection).count() == 0
    too_late_to_undo()
    publication = settle(publication_id)
    assert (publication.status, publication.connection_id) == (Status.CANCELLED, None)
    assert history(publication_id)[-1] == ("cancelled", "disconnected")
    assert db.session.query(PlatformConnection).execution_options(**WITH_DELETED).count() == 0
    assert toy.calls == {}


def test_what_is_scheduled_is_cancelled(toy, toy_publication, owner):
    publication_id = toy_publication(owner)
    publication = row(publication_id)
    publication.status, publication.due_at = Status.SCHEDULED, clock.now() + timedelta(days=1)
    publication.wake_at = publication.due_at
    db.session.commit()
    assert disconnect(owner, publication_id).cancelled == 1
    assert row(publication_id).status == Status.CANCELLED
    assert row(publication_id).wake_at is None


def test_a_worker_in_the_middle_of_an_upload_stops(app, toy, toy_publication, owner):
    publication_id = toy_publication(owner)
    hold = toy.hold("upload")
    work_horse = in_a_work_horse(app, publication_id)
    assert hold.arrived.wait(20)
    assert disconnect(owner, publication_id) == connections.Disconnection(cancelled=1, finishing=0)
    hold.let_go()
    work_horse.join(20)
    assert work_horse.exitcode == 0
    assert settle(publication_id).status == Status.CANCELLED
    assert toy.posts == {}
    assert toy.calls["publish"] == 0
    assert db.session.query(PublicationStep).count() == 0


def test_a_commit_in_flight_ends_by_its_receipt(app, toy, toy_publication, owner):
    publication_id = toy_publication(owner)
    hold = toy.hold("publish")
    work_horse = in_a_work_horse(app, publication_id)
    assert hold.arrived.wait(20)
    assert connections.preview_disconnect(fresh(owner), row(publication_id).connection_id) == connections.Disconnection(
        0, 1
    )
    assert disconnect(owner, publication_id) == connections.Disconnection(cancelled=0, finishing=1)
    assert ("disconnected", None) in history(publication_id)
    hold.let_go()
    work_horse.join(20)
    publication = settle(publication_id)
    assert (publication.status, publication.external_id) == (Status.PUBLISHED, "1")
    assert (publication.account_name, publication.url) == ("Игрушка", f"{toy.url}/posts/1")
    assert list(toy.posts.values()) == [1]


def test_what_waits_after_its_commit_is_published_by_its_receipt(toy, toy_publication, owner):
    toy.processing = 1000
    publication_id = toy_publication(owner)
    look(publication_id)
    assert row(publication_id).stage == Stage.PROCESSING
    assert disconnect(owner, publication_id).finishing == 1
    publication = settle(publication_id)
    assert (publication.status, publication.url) == (Status.PUBLISHED, f"{toy.url}/posts/1")
    assert notifications() == []


@pytest.mark.parametrize("point", ["publish:commit_started", "publish:after"])
def test_a_commit_without_an_answer_is_for_the_user_only_after_its_deadline(app, toy, toy_publication, owner, point):
    publication_id = toy_publication(owner)
    Toy.die_at = point
    work_horse = in_a_work_horse(app, publication_id)
    work_horse.join(20)
    assert work_horse.exitcode == -signal.SIGKILL
    disconnect(owner, publication_id)
    deadline = row(publication_id).in_doubt_until
    looks = 0
    while (publication := row(publication_id)).wake_at is not None:
        assert publication.status == Status.PUBLISHING
        wait_until(publication.wake_at)
        look(publication_id)
        looks += 1
        assert looks < 10
    assert publication.status == Status.UNCONFIRMED
    assert clock.now() > deadline
    assert [one.kind for one in notifications()] == ["unconfirmed"]


def test_before_the_deadline_an_early_try_waits(app, toy, toy_publication, owner):
    toy.answers = {"publish": [0]}
    publication_id = toy_publication(owner)
    look(publication_id)
    disconnect(owner, publication_id)
    over = row(publication_id).in_doubt_until
    db.session.execute(db.update(Publication).values(wake_at=clock.now()))
    db.session.commit()
    assert look(publication_id)
    publication = row(publication_id)
    assert (publication.status, publication.stage) == (Status.PUBLISHING, Stage.CHECKING)
    assert publication.wake_at > over


def test_a_late_receipt_still_ends_the_matter(app, toy, toy_publication, owner):
    toy.answers = {"publish": [0]}
    publication_id = toy_publication(owner)
    look(publication_id)
    disconnect(owner, publication_id)
    assert settle(publication_id).status == Status.UNCONFIRMED
    sealed = app.extensions["vault"].seal(b'{"id": "1", "url": null}', f"step:{publication_id}:publish")
    receipts.record(Lease(publication_id, 1, set_deadline=print), "publish", Receipt("1", f"{toy.url}/posts/1"), sealed)
    publication = settle(publication_id)
    assert (publication.status, publication.url) == (Status.PUBLISHED, f"{toy.url}/posts/1")


def test_published_ones_keep_name_link_and_history(toy, toy_publication, owner):
    publication_id = toy_publication(owner)
    settle(publication_id)
    before = history(publication_id)
    assert disconnect(owner, publication_id) == connections.Disconnection(0, 0)
    publication = row(publication_id)
    assert publication.status == Status.PUBLISHED
    assert publication.account_name == "Игрушка"
    assert publication.url == f"{toy.url}/posts/1"
    assert history(publication_id) == before


def test_what_has_failed_cannot_be_repeated_there(toy, toy_publication, owner):
    toy.answers = {"create": [400]}
    publication_id = toy_publication(owner)
    settle(publication_id)
    disconnect(owner, publication_id)
    with pytest.raises(publications.Problem, match="account_disconnected"):
        retries.retry(owner, publication_id)
