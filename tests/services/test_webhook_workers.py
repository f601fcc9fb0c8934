"""Many deliveries and few workers: turns, receivers that hang, workers that end in the middle."""

import multiprocessing
import os
import threading
import time

import pytest

from app import jobs, queue
from app.db import db, reading, transaction
from app.jobs import deliveries
from app.models import DeliveryState, Event, Webhook, WebhookDelivery, record_event
from app.queue.table import WEBHOOKS
from app.services import webhook_deliveries, webhook_events, webhooks
from app.webhooks import sending
from app.webhooks.sending import Outcome
from tests.asking import asked, plans, reads_whole
from tests.edges import committed
from tests.publishing.conftest import at_work, wait_until
from tests.receivers import deliver, each, hang, ok, read_events, receiver_at_home, status
from tests.services.test_webhooks import happens, rows

HUNDREDS = 150


@pytest.fixture
def receiver(app):
    with receiver_at_home() as receiver:
        read_events()
        yield receiver


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)  # it waits for the time-out
def test_a_receiver_that_hangs_keeps_no_other_waiting(app, user, receiver):
    """Of two hundred deliveries to it few are under way at once, and the other user's arrive meanwhile."""

    def answer(request):
        (hang if request.received.path == "/hanging" else ok)(request)

    receiver.answer = answer
    slow, quick = user(), user()
    committed(webhooks.create(slow, f"{receiver.origin}/hanging"))
    committed(webhooks.create(quick, f"{receiver.origin}/quick"))
    for clip_id in range(1, 201):
        happens(slow, clip_id=clip_id)
    for clip_id in range(1, 21):
        happens(quick, clip_id=clip_id)
    read_events()
    db.session.remove()

    def work() -> None:
        with app.app_context():
            deliveries.deliver_webhooks(0)

    worker = threading.Thread(target=work)
    began = time.monotonic()
    worker.start()
    while len([one for one in receiver.got if one.path == "/quick"]) < 20:
        assert time.monotonic() - began < sending.SECONDS  # none of them waits for the other's time-out
        time.sleep(0.05)
    worker.join()
    hanging = [one for one in receiver.got if one.path == "/hanging"]
    assert len(hanging) == webhook_deliveries.PER_WEBHOOK
    assert {one.error for one in rows() if one.tries and one.state == DeliveryState.PENDING} == {"timeout"}
    assert db.session.query(WebhookDelivery).filter_by(state=DeliveryState.PENDING).count() == 200


def test_a_worker_that_is_killed_in_the_middle(owner, receiver):
    secret = committed(webhooks.create(owner, receiver.url))[1]
    receiver.answer = each(hang, ok)
    happens(owner)
    happens(owner, "publication.started", title="Закат")
    read_events()

    def work() -> None:
        db.engine.dispose(close=False)
        deliveries.deliver_webhooks(0)
        os._exit(0)

    db.session.remove()
    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    while not receiver.got:
        time.sleep(0.02)
    worker.kill()
    worker.join()
    deliver()
    assert len(receiver.got) == 1, "its lease has not expired"
    wait_until(rows()[0].wake_at)
    deliver()
    assert receiver.types == ["clip.ready", "clip.ready", "publication.started"]
    assert receiver.got[0].id == receiver.got[1].id
    assert receiver.got[1].verified(secret)


def test_an_outcome_that_comes_too_late_changes_nothing(owner, receiver):
    committed(webhooks.create(owner, receiver.url))
    happens(owner)
    read_events()

    def claimed():
        with reading():
            turn = webhook_deliveries.next_turn()
        with transaction():
            return turn and webhook_deliveries.claim_turn(*turn)

    first = at_work(claimed)
    assert at_work(claimed) is None
    wait_until(rows()[0].wake_at)
    assert at_work(claimed).delivery.tries == 2
    with transaction():
        webhook_deliveries.settle(first, Outcome(5, 500, "status"))
    assert (rows()[0].state, rows()[0].tries) == (DeliveryState.SENDING, 2)


def test_a_batch_that_fails_is_read_again_and_makes_no_delivery_twice(app, owner, receiver):
    committed(webhooks.create(owner, receiver.url))
    happens(owner)
    read_events()
    db.session.execute(db.update(db.metadata.tables["event_cursors"]).values(last_event_id=0))
    record_event(owner.id, "clip.ready", {"title": "Второй"}, clip_id=2)
    with pytest.raises(Exception, match="webhook_deliveries"):
        read_events()
    assert len(rows()) == 1, "the unique key holds, and the cursor stays"


def test_the_tick_wakes_one_worker_only(app, owner, receiver):
    committed(webhooks.create(owner, receiver.url))
    at_work(jobs.wake_webhooks)
    assert queue.lengths()[WEBHOOKS] == 0
    happens(owner)
    read_events()
    for _ in range(3):
        at_work(jobs.wake_webhooks)
    assert queue.lengths()[WEBHOOKS] == 1


def test_hundreds_to_a_receiver_that_refuses(owner, receiver):
    committed(webhooks.create(owner, receiver.url))
    receiver.answer = status(500)
    db.session.execute(
        db.insert(Event),
        [{"user_id": owner.id, "kind": "clip.ready", "clip_id": number, "data": {}} for number in range(HUNDREDS)],
    )
    deliver()
    assert len({one.id for one in receiver.got}) == HUNDREDS
    assert {one.state for one in rows()} == {DeliveryState.PENDING}
    receiver.answer = ok
    wait_until(max(one.wake_at for one in rows()))
    deliver()
    assert {one.state for one in rows()} == {DeliveryState.DELIVERED}


def test_the_next_turn_is_found_by_its_time(compact, owner, receiver):
    committed(webhooks.create(owner, receiver.url))
    happens(owner)
    read_events()
    with asked() as found:
        assert webhook_deliveries.next_turn()
    [plan] = plans(found, "webhook_deliveries")
    assert "ix_webhook_deliveries_wake" in plan and not reads_whole(plan, "webhook_deliveries"), plan
    with asked() as found:
        webhook_events.read()
    assert not plans(found, "webhook_deliveries"), "nothing has happened"
    assert db.session.query(Webhook).count() == 1
