import base64
import hmac
import json

import pytest

from app import clock
from app.db import db
from app.models import ClipImport, HookDelivery, ImportState, IncomingHook, Render, Source
from app.problems import NotFound, Problem
from app.services import hook_requests, imports, incoming_hooks
from app.services.incoming_hooks import DEFAULTS
from app.webhooks.signatures import SECRET_PREFIX
from tests.edges import committed

URL = "https://example.org/a.mp4"


def made(owner, mapping=DEFAULTS, *, signed: bool = False) -> incoming_hooks.Shown:
    return committed(incoming_hooks.create(owner, "Ферма", mapping, signed=signed))


def call(shown: incoming_hooks.Shown, owner, body, headers=None) -> hook_requests.Accepted:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return committed(hook_requests.receive(shown.hook, owner, headers or {}, data))


def signature(secret: str, body: bytes, *, call_id: str = "msg_1", at: float | None = None) -> dict[str, str]:
    sent = str(int(clock.now().timestamp() if at is None else at))
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = base64.b64encode(hmac.digest(key, f"{call_id}.{sent}.".encode() + body, "sha256")).decode()
    return {"webhook-id": call_id, "webhook-timestamp": sent, "webhook-signature": f"v1,AAAA v1,{digest}"}


def test_a_call_announces_a_clip_and_begins_its_import(owner):
    shown = made(owner)
    accepted = call(shown, owner, {"url": URL, "title": "Премьера", "text": "Сегодня", "id": 7, "sha256": "A" * 64})
    render, one = db.session.get(Render, accepted.render_id), accepted.clip_import
    assert (render.external_id, render.title, render.description) == ("7", "Премьера", "Сегодня")
    assert (one.url, one.sha256, one.render_id) == (URL, "a" * 64, render.id)
    assert (one.source, one.source_name, render.source) == (Source.HOOK, "Ферма", Source.HOOK)


def test_the_same_id_twice_is_one_clip_until_it_has_failed(owner):
    shown = made(owner)
    first = call(shown, owner, {"url": URL, "id": "x"})
    again = call(shown, owner, {"url": URL, "id": "x"})
    assert (first.is_new, again.is_new, again.clip_import.id) == (True, False, first.clip_import.id)
    one = db.session.get(ClipImport, first.clip_import.id)
    one.state = ImportState.FAILED
    db.session.commit()
    renewed = call(shown, owner, {"url": f"{URL}?new=1", "id": "x"})
    assert renewed.is_new and renewed.render_id == first.render_id
    assert call(shown, owner, {"url": URL}).clip_import.id != call(shown, owner, {"url": URL}).clip_import.id


def test_fields_are_read_by_their_paths(owner):
    mapping = {"url": "data.files.1.url", "title": "data.name", "when": "data.at"}
    body = {"data": {"files": [{}, {"url": URL}], "name": 5, "at": "2030-01-01T10:00:00+03:00"}, "id": "ignored"}
    read = hook_requests.read(mapping, json.dumps(body).encode())
    assert (read.url, read.title, read.id) == (URL, "5", None)
    assert read.when == {"kind": "at", "at": "2030-01-01T07:00:00Z"}
    assert hook_requests.read(DEFAULTS, json.dumps({"url": URL, "when": "now"}).encode()).when == {"kind": "now"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "hook_body_not_json"),
        (b"{", "hook_body_not_json"),
        (b'"x"', "hook_body_not_json"),
        (b"\xff\xfe{}", "hook_body_not_json"),
        (b'{"url": "a", "url": "b"}', "hook_body_not_json"),
        (b"[" * 100_000, "hook_body_not_json"),
        ({}, "hook_url_missing"),
        ({"url": 5}, "hook_url_missing"),
        ({"url": "/etc/passwd"}, "import_url_malformed"),
        ({"url": "file:///etc/passwd"}, "import_url_malformed"),
        ({"url": URL, "title": []}, "field_not_text"),
        ({"url": URL, "rule": "my"}, "field_not_number"),
        ({"url": URL, "when": "завтра"}, "field_when_malformed"),
        ({"url": URL, "when": "2030-01-01T10:00:00"}, "field_when_without_zone"),
        ({"url": URL, "sha256": "abc"}, "import_checksum_malformed"),
    ],
)
def test_what_cannot_be_read_is_refused(owner, body, code):
    shown = made(owner)
    with pytest.raises(Problem, match=code):
        call(shown, owner, body)


def test_signatures(owner):
    shown = made(owner, signed=True)
    body = json.dumps({"url": URL}).encode()
    good = signature(shown.secret, body)
    for headers, code in (
        ({}, "hook_unsigned"),
        ({**good, "webhook-id": "msg_2"}, "hook_signature_wrong"),
        ({**good, "webhook-signature": "v1,"}, "hook_signature_wrong"),
        ({**good, "webhook-timestamp": "x"}, "hook_signature_old"),
        (signature(shown.secret, body + b" "), "hook_signature_wrong"),
        (signature(shown.secret, body, at=clock.now().timestamp() - 400), "hook_signature_old"),
        (signature(shown.secret, body, at=clock.now().timestamp() + 400), "hook_signature_old"),
    ):
        with pytest.raises(Problem, match=code):
            call(shown, owner, body, headers)
    accepted = call(shown, owner, body, good)
    # Called again because its answer got lost: the same clip.
    assert not call(shown, owner, body, signature(shown.secret, body)).is_new
    assert db.session.get(Render, accepted.render_id).external_id == "webhook-id msg_1"


def test_a_secret_ends_with_the_services_own_key(owner, app):
    shown = made(owner, signed=True)
    app.config["SECRET_KEY"] = "another-" * 8
    with pytest.raises(Problem, match="hook_secret_lost"):
        incoming_hooks.secret_of(shown.hook)


def test_neither_key_nor_secret_is_stored_as_it_is(owner):
    shown = made(owner, signed=True)
    row = db.session.execute(db.select(IncomingHook.__table__)).one()
    secret = base64.b64decode(shown.secret.removeprefix(SECRET_PREFIX))
    assert shown.key not in str(row) and secret not in row.encrypted_secret
    assert incoming_hooks.find(shown.key)[0].id == shown.hook.id
    renewed = committed(incoming_hooks.renew(owner, shown.hook.id, signed=False))
    assert incoming_hooks.find(shown.key) is None and incoming_hooks.find(renewed.key)
    assert incoming_hooks.secret_of(renewed.hook) is None


@pytest.mark.parametrize(
    ("name", "mapping", "code"),
    [
        (" ", DEFAULTS, "hook_name_missing"),
        ("x" * 41, DEFAULTS, "hook_name_too_long"),
        ("x", {"title": "name"}, "hook_path_of_url_missing"),
        ("x", {"url": "a..b"}, "hook_path_malformed"),
        ("x", {"url": "a b"}, "hook_path_malformed"),
    ],
)
def test_names_and_paths_are_checked(owner, name, mapping, code):
    with pytest.raises(Problem, match=code):
        incoming_hooks.create(owner, name, mapping, signed=False)


def test_the_last_calls_are_kept_without_their_keys(owner):
    shown = made(owner)
    for number in range(12):
        body = json.dumps({"n": number, "url": f"{URL}?X-Amz-Signature=secret&x=1#f", "pad": "я" * 3000}).encode()
        incoming_hooks.record(shown.hook.id, 422, body, Problem("hook_body_not_json"))
    db.session.commit()
    kept = incoming_hooks.deliveries(owner)[shown.hook.id]
    assert len(kept) == 10 and '"n": 11' in kept[0].body and len(kept[0].body) <= 2000
    assert all("secret" not in one.body and f"{URL}?…" in one.body for one in kept)
    assert db.session.scalar(db.select(db.func.count()).select_from(HookDelivery)) == 10


def test_a_strangers_webhook_is_not_found(owner, user):
    shown, stranger = made(owner), user()
    assert list(incoming_hooks.all_of(stranger)) == [] and incoming_hooks.deliveries(stranger) == {}
    for refused in (
        lambda: incoming_hooks.get(stranger, shown.hook.id),
        lambda: incoming_hooks.edit(stranger, shown.hook.id, "x", DEFAULTS),
        lambda: incoming_hooks.renew(stranger, shown.hook.id, signed=False),
        lambda: incoming_hooks.remove(stranger, shown.hook.id),
    ):
        with pytest.raises(NotFound):
            refused()
    committed(incoming_hooks.remove(owner, shown.hook.id))
    assert incoming_hooks.find(shown.key) is None
    assert list(imports.shown(owner)) == []
