"""Webhooks by the HTTP API."""

from datetime import timedelta

import pytest

from app import clock
from app.models import Scope, WebhookState
from app.services import webhooks
from app.webhooks import payloads
from tests.edges import committed
from tests.receivers import deliver, read_events, receiver_at_home, status
from tests.services.test_webhooks import happens, hook

PUBLIC = "https://93.184.215.14/hook"


@pytest.fixture
def receiver(app):
    with receiver_at_home() as receiver:
        read_events()
        yield receiver


def test_from_creation_to_delivery(api, owner, receiver):
    made = api.post("/webhooks", {"url": receiver.url, "name": "Ферма", "events": ["clip.ready"]})
    assert made.status_code == 201
    secret = made.json["secret"]
    assert made.json == {
        "id": hook().id,
        "name": "Ферма",
        "url": receiver.url,
        "events": ["clip.ready"],
        "state": "active",
        "reason": None,
        "detail": None,
        "failing_since": None,
        "previous_secret_until": None,
        "created_at": made.json["created_at"],
        "secret": secret,
    }
    listed = api.get("/webhooks").json["items"]
    assert [one["id"] for one in listed] == [made.json["id"]] and "secret" not in listed[0]
    path = f"/webhooks/{made.json['id']}"
    assert api.get(path).json == listed[0]
    ping = api.post(f"{path}/test")
    assert (ping.status_code, ping.json["event"], ping.json["state"]) == (201, "ping", "pending")
    receiver.answer = status(400, b"no")
    happens(owner)
    deliver()
    assert [one.verified(secret)["type"] for one in receiver.got] == ["ping", "clip.ready"]
    first = api.get(f"{path}/deliveries?limit=1").json
    [delivery] = first["items"]
    assert (delivery["event"], delivery["status_code"], delivery["error"]) == ("clip.ready", 400, "status")
    assert (delivery["response"], delivery["detail"]) == ("no", "Сервер отказал.")
    assert delivery["next_try_at"].endswith("Z") and delivery["message_id"] == receiver.got[1].id
    rest = api.get(f"{path}/deliveries", query_string={"cursor": first["next_cursor"]}).json
    assert [one["id"] for one in rest["items"]] == [ping.json["id"]] and rest["next_cursor"] is None
    assert api.post(f"{path}/deliveries/{ping.json['id']}/resend").json["state"] == "pending"
    rotated = api.post(f"{path}/rotate").json
    assert rotated["secret"] != secret and rotated["previous_secret_until"]
    assert clock.now() < webhooks.get(owner, made.json["id"]).previous_until <= clock.now() + timedelta(hours=24)
    assert api.delete(path).status_code == 204 and api.get(path).status_code == 404


def test_changing(api, owner):
    path = f"/webhooks/{committed(webhooks.create(owner, PUBLIC, 'Мой', ['clip.ready']))[0].id}"
    assert api.patch(path, {"events": None}).json["events"] is None
    changed = api.patch(path, {"name": "Новый", "state": "off"}).json
    assert (changed["name"], changed["state"], changed["url"]) == ("Новый", "off", PUBLIC)
    assert api.patch(path, {"state": "active", "events": ["clip.failed"]}).json["state"] == "active"
    assert hook().state == WebhookState.ACTIVE and hook().kinds == ["clip.failed"]


@pytest.mark.parametrize(
    ("body", "status_code", "code"),
    [
        ({}, 422, "field_required"),
        ({"url": PUBLIC, "events": []}, 422, "field_count"),
        ({"url": PUBLIC, "events": ["clip.exploded"]}, 422, "field_not_among_choices"),
        ({"url": PUBLIC, "state": "off"}, 422, "field_unknown"),
        ({"url": "https://10.0.0.1/"}, 409, "webhook_address_private"),
        ({"url": "http://93.184.215.14/"}, 409, "webhook_address_not_https"),
        ({"url": "nowhere"}, 409, "webhook_address_invalid"),
    ],
)
def test_what_is_refused(api, body, status_code, code):
    answer = api.post("/webhooks", body)
    assert answer.status_code == status_code
    codes = [answer.json["code"], *(one["code"] for one in answer.json.get("errors", ()))]
    assert code in codes
    assert webhooks.MAX_WEBHOOKS and list(payloads.KINDS)


def test_a_post_that_comes_twice_makes_one(api):
    first, second = (api.post("/webhooks", {"url": PUBLIC}, key="once") for _ in range(2))
    assert first.json == second.json and len(api.get("/webhooks").json["items"]) == 1


def test_scopes_and_tenants(program, owner, user):
    webhook = committed(webhooks.create(owner, PUBLIC))[0]
    stranger, reader = program(user()), program(owner, Scope.READ)
    path = f"/webhooks/{webhook.id}"
    for method, below in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/rotate"),
        ("POST", "/test"),
        ("GET", "/deliveries"),
        ("POST", "/deliveries/1/resend"),
    ):
        body = {} if method == "PATCH" else None
        assert stranger.send(method, path + below, body).status_code == 404, (method, below)
        if method != "GET":
            assert reader.send(method, path + below, body).status_code == 403
    assert stranger.get("/webhooks").json == {"items": []}
    assert reader.get(path).status_code == 200
