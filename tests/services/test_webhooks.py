"""A user's webhooks, and what becomes of events: signed, at least once, in order for each clip."""

from datetime import timedelta

import pytest
from standardwebhooks import WebhookVerificationError

from app import clock, vault
from app.db import commit, db
from app.models import DeliveryState, Event, Notification, Webhook, WebhookDelivery, WebhookState, record_event
from app.notifications import create
from app.problems import NotFound, Problem
from app.services import keys as vault_keys
from app.services import webhook_events, webhook_history, webhooks
from app.vault import Vault
from app.webhooks import payloads
from tests.edges import committed
from tests.publishing.conftest import at_work, wait_until
from tests.receivers import Receiver, deliver, each, ok, read_events, receiver_at_home, status

READY = {"title": "Закат", "reason": None}


@pytest.fixture
def receiver(app):
    with receiver_at_home() as receiver:
        read_events()  # what was before is not delivered
        yield receiver


@pytest.fixture
def secret(owner, receiver) -> str:
    """Of a webhook that is told everything."""
    return committed(webhooks.create(owner, receiver.url))[1]


def happens(user, kind: str = "clip.ready", clip_id: int | None = 1, **data) -> None:
    record_event(user.id, kind, data or READY, clip_id=clip_id)
    commit()


def hook() -> Webhook:
    db.session.rollback()
    return db.session.query(Webhook).one()


def rows() -> list[WebhookDelivery]:
    db.session.rollback()
    return db.session.query(WebhookDelivery).order_by(WebhookDelivery.id).all()


def next_try() -> None:
    """Delivers once the next one is due."""
    wait_until(min(one.wake_at for one in rows() if one.wake_at))
    deliver()


# What is sent


def test_an_event_arrives_once_and_signed(owner, receiver, secret):
    happens(owner, clip_id=7)
    deliver()
    deliver()
    [got] = receiver.got
    at = db.session.scalar(db.select(Event.at).order_by(Event.id.desc())).strftime("%Y-%m-%dT%H:%M:%SZ")
    data = {"clip_id": 7, "title": "Закат", "reason": None, "detail": None}
    assert got.verified(secret) == {"type": "clip.ready", "timestamp": at, "data": data}
    assert got.headers["content-type"] == "application/json" and got.id.startswith("msg_")
    [row] = rows()
    assert (row.state, row.status_code, row.error, row.excerpt) == (DeliveryState.DELIVERED, 200, None, "thank you")
    assert row.tries == 1 and row.took_ms < 5000 and row.wake_at is None


def test_a_publication_in_the_words_of_the_api(owner, receiver, secret, ready_clip, telegram):
    from app.services import publications
    from app.services.publications import Choice
    from tests.publishing.conftest import settle

    connection, clip = telegram(owner), ready_clip(owner)
    [publication] = committed(publications.publish(owner, clip.id, [Choice(connection.id, "Волга", "")]))
    settle(publication.id)
    deliver()
    published = receiver.got[-1].verified(secret)
    assert published["type"] == "publication.published"
    data = published["data"]
    assert (data["publication_id"], data["clip_id"], data["connection_id"]) == (publication.id, clip.id, connection.id)
    assert (data["platform"], data["title"], data["reason"]) == ("telegram", "Волга", None)
    assert data["url"].startswith("http") and data["due_at"].endswith("Z")


def test_only_what_was_chosen_and_only_ones_own(owner, user, receiver):
    committed(webhooks.create(owner, f"{receiver.origin}/clips", kinds=["clip.ready", "clip.failed"]))
    committed(webhooks.create(owner, f"{receiver.origin}/all"))
    happens(owner, "clip.ready")
    happens(owner, "publication.started", platform="vk", account="Я", title="Закат")
    happens(owner, "session.new_device", clip_id=None, device="Firefox", address="127.0.0.1")  # is for people
    happens(user())
    deliver()
    assert sorted((one.path, one.type) for one in receiver.got) == [
        ("/all", "clip.ready"),
        ("/all", "publication.started"),
        ("/clips", "clip.ready"),
    ]


def test_every_kind_can_be_sent(owner, receiver, secret):
    for kind in payloads.KINDS:
        happens(owner, kind, webhook_id=0, platform="vk", account="Я", title="Закат", name="Другой", reason="reconnect")
    deliver()
    assert receiver.types == [*payloads.KINDS]
    for one in receiver.got:
        assert one.data.get("detail", "") == "" or one.data["detail"].startswith("Доступ к аккаунту")


# Retries and order


def test_it_is_tried_again_with_growing_pauses_and_the_same_id(owner, receiver, secret):
    receiver.answer = each(status(500, b"oops"), status(404), status(503, Retry_After="900"), ok)
    happens(owner)
    deliver()
    [row] = rows()
    assert (row.state, row.status_code, row.error, row.excerpt) == (DeliveryState.PENDING, 500, "status", "oops")
    assert timedelta(seconds=3) < row.wake_at - clock.now() < timedelta(seconds=7)
    deliver()
    assert len(receiver.got) == 1
    next_try()
    assert timedelta(seconds=25) < rows()[0].wake_at - clock.now() < timedelta(seconds=35)
    next_try()
    assert timedelta(seconds=890) < rows()[0].wake_at - clock.now() < timedelta(seconds=901)  # as it asks
    next_try()
    assert rows()[0].state == DeliveryState.DELIVERED and hook().failing_since is None
    assert len(receiver.got) == 4 and len({one.id for one in receiver.got}) == 1
    assert len({one.headers["webhook-timestamp"] for one in receiver.got}) > 1
    assert len({one.body for one in receiver.got}) == 1


def test_events_of_a_clip_keep_their_order_and_other_clips_go_on(owner, receiver, secret):
    def answer(request):
        refuses = request.received.data["clip_id"] == 1 and len(receiver.got) < 4
        (status(500) if refuses else ok)(request)

    receiver.answer = answer
    for kind, clip_id in (("clip.ready", 1), ("publication.started", 1), ("clip.ready", 2), ("publication.failed", 1)):
        happens(owner, kind, clip_id, title="Закат")
    deliver()
    got = sorted((one.data["clip_id"], one.type) for one in receiver.got)
    assert got == [(1, "clip.ready"), (2, "clip.ready")], "both at once"
    next_try()
    assert len(receiver.got) == 3, "those that follow wait"
    next_try()
    of_clip = [one.type for one in receiver.got if one.data["clip_id"] == 1]
    assert of_clip == 3 * ["clip.ready"] + ["publication.started", "publication.failed"]
    assert {one.state for one in rows()} == {DeliveryState.DELIVERED}


def test_a_receiver_that_is_not_there_costs_one_try_for_all(app, owner, secret, receiver):
    receiver.stop()
    for clip_id in range(1, 40):
        happens(owner, clip_id=clip_id)
    deliver()
    assert sum(one.tries for one in rows()) == 2 and rows()[0].error == "no_connection"  # at once
    while hook().silences < 5:
        next_try()
    assert sum(one.tries for one in rows()) == 6
    fresh = Receiver(int(receiver.origin.rpartition(":")[2]))
    next_try()
    assert len(fresh.got) == 39 and len({one.id for one in fresh.got}) == 39
    assert {one.state for one in rows()} == {DeliveryState.DELIVERED}
    assert (hook().silences, hook().held_until, hook().failing_since) == (0, None, None)
    fresh.stop()


@pytest.mark.parametrize("there", [True, False], ids=["it refuses", "it is not there"])
def test_after_a_day_it_is_paused_and_its_user_told(owner, receiver, secret, there):
    receiver.answer = status(500)
    committed(webhooks.create(owner, receiver.url.replace("hook", "other"), kinds=["webhook.paused"]))
    if not there:
        receiver.stop()
    begun = clock.now()
    happens(owner, clip_id=1)
    happens(owner, clip_id=2)
    deliver()
    tries = 1
    while (webhook := webhooks.all_of(owner)[0]).state == WebhookState.ACTIVE:
        assert clock.now() < begun + timedelta(hours=25)
        next_try()
        tries += 1
    assert webhook.paused_at - begun > timedelta(hours=24) and webhook.pause_reason == "webhook_failing"
    assert 10 < tries < 40
    assert [one.state for one in rows()] == 2 * [DeliveryState.PENDING], "nothing is lost"
    at_work(create.read_events)
    told = db.session.query(Notification).one()
    assert (told.kind, told.facts["name"]) == ("webhook_paused", "127.0.0.1")
    # What happens meanwhile is kept, and another webhook is told.
    happens(owner, clip_id=1)
    before = len(receiver.got)
    if there:
        receiver.answer = ok
    else:
        receiver = Receiver(int(receiver.origin.rpartition(":")[2]))
        before = 0
    deliver()
    assert [one.type for one in receiver.got[before:]] == ["webhook.paused"]
    assert receiver.got[-1].data == {
        "webhook_id": webhook.id,
        "name": "127.0.0.1",
        "reason": "webhook_failing",
        "detail": "Сервер сутки не принимал события. Проверьте его и включите вебхук снова: всё, что случится за "
        "30 дней, мы сохраним и тогда пришлём.",
    }
    assert committed(webhooks.turn_on(owner, webhook.id)) == 3
    deliver()
    assert [one.data["clip_id"] for one in receiver.got[-3:] if one.type == "clip.ready"].count(1) == 2
    assert {one.state for one in rows()} == {DeliveryState.DELIVERED}
    receiver.stop()


def test_gone_pauses_at_once(owner, receiver, secret):
    receiver.answer = status(410)
    happens(owner)
    happens(owner, clip_id=2)
    deliver()
    assert (hook().state, hook().pause_reason) == (WebhookState.PAUSED, "webhook_gone")
    assert all(one.wake_at is None for one in rows())
    assert len(receiver.got) <= 2


def test_off_means_that_nothing_is_kept(owner, receiver, secret):
    committed(webhooks.turn_off(owner, hook().id))
    happens(owner)
    deliver()
    assert rows() == []
    committed(webhooks.turn_on(owner, hook().id))
    happens(owner, clip_id=2)
    deliver()
    assert [one.data["clip_id"] for one in receiver.got] == [2]


# What its user does


def test_a_secret_is_rotated_without_a_gap(owner, receiver, secret):
    fresh = committed(webhooks.rotate(owner, hook().id))
    assert fresh != secret
    happens(owner)
    deliver()
    assert receiver.got[0].verified(secret) == receiver.got[0].verified(fresh)
    wait_until(clock.now() + webhooks.PREVIOUS_SECRET_KEPT)
    happens(owner, clip_id=2)
    deliver()
    assert " " in receiver.got[0].headers["webhook-signature"]
    assert " " not in receiver.got[1].headers["webhook-signature"]
    committed(webhook_events.sweep())
    assert (hook().sealed_previous, hook().previous_until) == (None, None)
    with pytest.raises(WebhookVerificationError):
        receiver.got[0].verified("whsec_" + 40 * "A")


def test_a_ping_is_tried_once_whatever_the_state(owner, receiver, secret):
    committed(webhooks.turn_off(owner, hook().id))
    receiver.answer = each(status(500), ok)
    for _ in range(2):
        committed(webhook_history.test(owner, hook().id))
        deliver()
    assert [one.state for one in rows()] == [DeliveryState.FAILED, DeliveryState.DELIVERED]
    assert receiver.got[1].verified(secret)["data"] == {"webhook_id": hook().id}
    webhook_id = hook().id
    for _ in range(webhook_history.MAX_URGENT):
        committed(webhook_history.test(owner, webhook_id))
    with pytest.raises(Problem, match="webhook_busy"):
        webhook_history.test(owner, webhook_id)


def test_sending_again(owner, receiver, secret):
    happens(owner)
    deliver()
    delivery_id = rows()[0].id
    committed(webhook_history.resend(owner, hook().id, delivery_id))
    deliver()
    assert len(receiver.got) == 2 and receiver.got[0].id == receiver.got[1].id
    receiver.answer = status(500)
    committed(webhook_history.resend(owner, hook().id, delivery_id))
    deliver()
    assert rows()[0].state == DeliveryState.FAILED, "tried once"
    happens(owner, clip_id=2)
    deliver()
    waiting = rows()[1]
    assert waiting.wake_at > clock.now()
    receiver.answer = ok
    committed(webhook_history.resend(owner, hook().id, waiting.id))
    deliver()
    assert rows()[1].state == DeliveryState.DELIVERED


def test_skipping_lets_the_rest_of_the_clip_go(owner, receiver, secret):
    receiver.answer = each(status(500), ok)
    happens(owner)
    happens(owner, "publication.started", title="Закат")
    deliver()
    committed(webhook_history.skip(owner, hook().id, rows()[0].id))
    deliver()
    assert [one.state for one in rows()] == [DeliveryState.FAILED, DeliveryState.DELIVERED]


def test_another_address_begins_anew(owner, receiver, secret):
    receiver.answer = status(500)
    happens(owner)
    deliver()
    receiver.answer = ok
    committed(webhooks.change(owner, hook().id, f"{receiver.origin}/new", "Мой", ["clip.ready"]))
    deliver()
    assert [one.path for one in receiver.got] == ["/hook", "/new"] and hook().name == "Мой"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "webhook_address_missing"),
        ("привет", "webhook_address_invalid"),
        ("ftp://example.org/", "webhook_address_invalid"),
        ("https://", "webhook_address_invalid"),
        ("https://example.org:99999/", "webhook_address_invalid"),
        ("https://user:secret@example.org/", "webhook_address_with_password"),
        ("http://93.184.215.14/hook", "webhook_address_not_https"),
        ("https://127.0.0.1/hook", "webhook_address_private"),
        ("https://localhost/hook", "webhook_address_private"),
        ("https://2130706433/", "webhook_address_private"),
        ("https://[::1]/", "webhook_address_private"),
        ("https://169.254.169.254/latest/meta-data", "webhook_address_private"),
        ("https://10.0.0.1/", "webhook_address_private"),
        (f"https://93.184.215.14/{'x' * 2000}", "webhook_address_too_long"),
    ],
)
def test_addresses_that_are_refused(owner, url, code):
    with pytest.raises(Problem, match=code) as problem:
        webhooks.create(owner, url)
    assert problem.value.field == "url"


def test_limits(owner, user):
    for number in range(webhooks.MAX_WEBHOOKS):
        committed(webhooks.create(owner, f"https://93.184.215.14/{number}#here", name=f"{number}"))
    assert webhooks.all_of(owner)[0].url == "https://93.184.215.14/0"
    for arguments, code in (
        ({}, "too_many_webhooks"),
        ({"kinds": []}, "webhook_kinds_missing"),
        ({"kinds": ["session.new_device"]}, "webhook_kind_unknown"),
        ({"name": "x" * 61}, "webhook_name_too_long"),
    ):
        with pytest.raises(Problem, match=code):
            webhooks.create(owner, "https://93.184.215.14/", **arguments)
    webhook_id = webhooks.all_of(owner)[0].id
    for action in (webhooks.get, webhooks.rotate, webhooks.turn_off, webhooks.turn_on, webhooks.remove):
        with pytest.raises(NotFound):
            action(user(), webhook_id)


def test_removing_takes_the_history(owner, receiver, secret):
    happens(owner)
    read_events()
    committed(webhooks.remove(owner, hook().id))
    deliver()
    assert rows() == [] and receiver.got == []


def test_old_deliveries_go(owner, receiver, secret):
    happens(owner)
    deliver()
    wait_until(clock.now() + timedelta(days=29))
    committed(webhook_events.sweep())
    assert len(rows()) == 1
    wait_until(clock.now() + timedelta(days=2))
    committed(webhook_events.sweep())
    assert rows() == []


def test_the_keys_of_the_vault_are_rotated(app, keys, owner, receiver, secret):
    webhooks.rotate(owner, hook().id)
    commit()
    public, private = vault.generate()
    app.extensions["vault"] = Vault(public, f"{private},{keys[1]}")
    for _ in vault_keys.rotate():
        commit()
    app.extensions["vault"] = Vault(public, private)
    happens(owner)
    deliver()
    assert receiver.got[0].verified(secret)
