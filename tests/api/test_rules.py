"""Rules, decisions and announced clips by the HTTP API."""

import base64

import pytest

from app.db import db
from app.models import Clip, Rule, Scope
from app.services import account_sets, slots
from tests import probing
from tests.edges import committed
from tests.services.ruling import apply_rules, listen, made, make_rule, runs


@pytest.fixture
def account(owner, telegram):
    return telegram(owner)


def test_a_rule_is_made_changed_and_deleted(api, owner, account):
    new = {"name": "Ферма", "connection_ids": [account.id], "when": {"kind": "after", "minutes": 30}, "daily_limit": 3}
    answer = api.post("/rules", new, key="once")
    assert answer.status_code == 201
    rule = answer.json
    assert api.post("/rules", new, key="once").json == rule and db.session.query(Rule).count() == 1
    assert (rule["name"], rule["enabled"], rule["when"]) == ("Ферма", True, {"kind": "after", "minutes": 30})
    assert api.get(f"/rules/{rule['id']}").json == rule
    assert api.get("/rules").json == {"items": [rule], "paused": False}
    changed = api.patch(f"/rules/{rule['id']}", {"enabled": False, "text_template": "{text} #везде"}).json
    assert changed == rule | {"enabled": False, "text_template": "{text} #везде"}
    assert api.delete(f"/rules/{rule['id']}").status_code == 204
    assert api.get(f"/rules/{rule['id']}").status_code == 404


def test_a_rule_of_a_set_takes_its_slots(api, owner, account):
    one = committed(account_sets.save(owner, "Основные", [account.id]))
    committed(slots.add(owner, one.id, [0], [600]))
    slot = {"kind": "slot", "set_id": one.id}
    rule = api.post("/rules", {"name": "Слоты", "set_id": one.id, "when": slot}).json
    assert rule["when"] == slot and rule["connection_ids"] == []
    refused = api.post("/rules", {"name": "Слоты", "connection_ids": [account.id], "when": slot})
    assert (refused.status_code, refused.json["code"], refused.json["field"]) == (409, "rule_slot_needs_set", "when")


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"connection_ids": []}, 409, "rule_accounts_missing"),
        ({"connection_ids": [10**6]}, 404, "not_found"),
        ({"set_id": 10**6}, 404, "not_found"),
        ({"title_template": "{заголовок}"}, 409, "template_field_unknown"),
        ({"when": {"kind": "at", "at": "2027-01-01T10:00:00Z"}}, 409, "rule_time_of_its_own"),
        ({"when": {"kind": "after", "minutes": 1}}, 409, "when_minutes_malformed"),
        ({"daily_limit": 51}, 422, "invalid_request"),
        ({"source": "fax"}, 422, "invalid_request"),
        ({"position": 1}, 422, "invalid_request"),
    ],
)
def test_rules_that_are_refused(api, account, more, status, code):
    answer = api.post("/rules", {"name": "Ферма", "connection_ids": [account.id]} | more)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert db.session.query(Rule).count() == 0


def test_a_dry_run(api, owner, account, ready_clip):
    clip = ready_clip(owner, title="Закат")
    rule = make_rule(owner, account, title_template="Новое: {title}")
    [line] = api.post(f"/rules/{rule.id}/dry-run").json["items"]
    assert (line["clip_id"], line["matches"], line["due_at"], line["problems"]) == (clip.id, True, None, [])
    assert [one["title"] for one in line["publications"]] == ["Новое: Закат"]
    assert made(clip) == []


def test_what_waits_is_decided_once(api, program, owner, user, account, ready_clip):
    listen()
    make_rule(owner, account, needs_approval=True)
    some = [ready_clip(owner, title=title) for title in ("Да", "Нет")]
    apply_rules()
    no, yes = api.get("/approvals").json["items"]
    assert (yes["clip_title"], yes["reason"], yes["state"]) == ("Да", "needs_approval", "held")
    stranger = program(user())
    assert stranger.get("/approvals").json["items"] == []
    for act in ("release", "reject"):
        assert stranger.post(f"/approvals/{yes['id']}/{act}").status_code == 404
        assert program(owner, Scope.READ).post(f"/approvals/{yes['id']}/{act}").status_code == 403
    released = api.post(f"/approvals/{yes['id']}/release").json
    assert released["state"] == "released" and [one["clip_id"] for one in released["publications"]] == [some[0].id]
    assert api.post(f"/approvals/{no['id']}/reject").json["state"] == "rejected"
    again = api.post(f"/approvals/{yes['id']}/release")
    assert (again.status_code, again.json["code"]) == (409, "run_settled")
    assert [len(made(clip)) for clip in some] == [1, 0] and api.get("/approvals").json["items"] == []


# Announced clips


def test_a_render_is_announced_once_and_its_upload_is_published(api, owner, account, vertical_file):
    listen()
    rule = make_rule(owner, account, source="inbox")  # its condition does not count
    order = {"external_id": "shot-7", "title": "Закат", "text": "Волга", "rule_id": rule.id}
    render = api.post("/renders", order).json
    assert api.post("/renders", order).json == render
    assert (render["state"], render["source_name"]) == ("announced", "Ферма")
    kind, _, number = render["upload"]["metadata"].partition(" ")
    assert (kind, base64.b64decode(number)) == ("render", str(render["id"]).encode())
    data = vertical_file.read_bytes()
    begun = upload(api, len(data), render["upload"]["metadata"])
    assert begun.status_code == 201
    assert api.get(f"/renders/{render['id']}").json["state"] == "arriving"
    path = begun.headers["Location"].partition("/api/v1")[2]
    tus = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert api.send("PATCH", path, data=data, headers=tus).status_code == 204
    clip = db.session.query(Clip).one()
    assert (clip.title, clip.description, clip.source) == ("Закат", "Волга", "api")
    probing.probe(clip.id)
    apply_rules()
    assert len(made(clip)) == 1 and len(runs(clip)) == 1
    [shown] = api.get("/renders?external_id=shot-7").json["items"]
    assert (shown["state"], shown["clip_id"]) == ("ready", clip.id)
    late = api.delete(f"/renders/{render['id']}")
    assert (late.status_code, late.json["code"]) == (409, "render_too_late")
    assert upload(api, 10, render["upload"]["metadata"]).status_code == 409


def upload(api, length: int, metadata: str):
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(length), "Upload-Metadata": metadata}
    return api.send("POST", "/uploads", headers=headers)


def test_a_render_is_cancelled(api, owner):
    render = api.post("/renders", {}).json
    for _ in range(2):
        assert api.delete(f"/renders/{render['id']}").status_code == 204
    assert api.get(f"/renders/{render['id']}").json["state"] == "cancelled"


def test_renders_of_others_and_of_nobody(api, program, owner, user):
    render = api.post("/renders", {"external_id": "shot-7"}).json
    stranger = program(user())
    assert stranger.get("/renders").json["items"] == []
    for method in ("GET", "DELETE"):
        assert stranger.send(method, f"/renders/{render['id']}").status_code == 404
    for number in (str(render["id"]), "7x", "", "9" * 30):
        answer = upload(stranger, 10, f"render {base64.b64encode(number.encode()).decode()}")
        assert answer.status_code == 404, number


@pytest.mark.parametrize(
    ("order", "status", "code"),
    [
        ({"rule_id": 10**6}, 409, "render_rule_unknown"),
        ({"when": {"kind": "slot", "set_id": 10**6}}, 409, "when_set_unknown"),
        ({"when": {"kind": "at", "at": "2027-01-01T10:00:00"}}, 422, "invalid_request"),
        ({"external_id": ""}, 422, "invalid_request"),
        ({"titel": "Закат"}, 422, "invalid_request"),
    ],
)
def test_renders_that_are_refused(api, order, status, code):
    answer = api.post("/renders", order)
    assert (answer.status_code, answer.json["code"]) == (status, code)
