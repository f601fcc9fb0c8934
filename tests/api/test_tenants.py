"""A second user's key walks all endpoints with another user's ids: each returns 404, and nothing has changed."""

import pytest

from app.db import commit, db
from app.models import RuleRun, RunState
from app.services import (
    account_sets,
    imports,
    incoming_hooks,
    publications,
    renders,
    slots,
    uploads,
    webhook_history,
    webhooks,
)
from app.services import rules as tenants_rules
from app.services.publications import Choice
from app.services.rules import Wish
from tests.api.routes import path_of, rules
from tests.web.test_tenants import everything

# What an endpoint needs to come as far as the row, by its operation's name.
BODIES = {
    "update_clip": {"title": "Чужое"},
    "set_clip_cover": {"at_ms": 0},
    "update_rule": {"name": "Чужое"},
    "update_webhook": {"name": "Чужое"},
    "move_publication": {"when": {"kind": "now"}},
    "confirm_publication": {"url": "https://example.org/1"},
}
TUS = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
PIECE = {"data": b"x" * 10, "content_type": "application/offset+octet-stream"}


@pytest.fixture
def boris(user, ready_clip, telegram) -> dict[str, object]:
    """His ids, by the name of the argument. An endpoint with another one fails the walk."""
    one = user(email="boris@example.org")
    connection, clip = telegram(one), ready_clip(one, title="Клип Бориса")
    [made] = publications.publish(one, clip.id, [Choice(connection.id, clip.title, "")])
    account_set = account_sets.save(one, "Набор Бориса", [connection.id])
    slots.add(one, account_set.id, [0], [600])
    import_id = imports.start(one, "https://example.org/Борис.mp4").id
    hook_id = incoming_hooks.create(one, "Вебхук Бориса", incoming_hooks.DEFAULTS, signed=False).hook.id
    upload_id = uploads.create(one, "boris.mp4", 1000).id
    rule = tenants_rules.save(one, Wish("Правило Бориса", connection_ids=[connection.id], needs_approval=True))
    run = RuleRun(user_id=one.id, rule_id=rule.id, rule_name=rule.name, clip_id=clip.id, clip_title=clip.title)
    run.state, run.ready_at = RunState.HELD, clip.created_at
    render = renders.announce(one, external_id="Борис")
    db.session.add(run)
    webhook, _secret = webhooks.create(one, "https://93.184.215.14/", "Вебхук Бориса")
    delivery_id = webhook_history.test(one, webhook.id).id
    commit()
    return {
        "render_id": render.id,
        "rule_id": rule.id,
        "run_id": run.id,
        "clip_id": clip.id,
        "connection_id": connection.id,
        "publication_id": made.id,
        "set_id": account_set.id,
        "upload_id": upload_id,
        "webhook_id": webhook.id,
        "delivery_id": delivery_id,
        "import_id": import_id,
        "hook_id": hook_id,
    }


@pytest.fixture
def anna(program, user):
    one = program(user(email="anna@example.org", plan="business"))
    one.get("/me")  # the key's first use is written
    return one


def test_every_endpoint_hides_other_users_rows(app, boris, anna):
    before, tried = everything(app), 0
    for method, rule, _view in rules(app):
        if not rule.arguments:
            continue
        assert rule.arguments <= boris.keys(), f"{rule.rule}: whose is it?"
        path = path_of(rule, **{name: boris[name] for name in rule.arguments})
        name = rule.endpoint.partition(".")[2]
        more = PIECE if rule.endpoint == "api_uploads.send" else {}
        answer = anna.send(method, path, BODIES.get(name), headers=TUS, **more)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found"), (method, path)
        assert "Борис" not in answer.text
        tried += 1
    assert tried > 18
    assert everything(app) == before


def test_lists_hold_only_ones_own(app, boris, anna):
    for method, rule, _view in rules(app):
        if method == "GET" and not rule.arguments:
            answer = anna.get(path_of(rule))
            assert answer.status_code == 200, rule.rule
            for word in ("Борис", "boris@", "Везде: демо"):
                assert word not in answer.text, rule.rule


def test_ids_in_bodies(app, boris, anna, ready_clip, user, program):
    anna_too = user(email="anna2@example.org", plan="business")
    mine, own = program(anna_too), ready_clip(anna_too)
    mine.get("/me")
    before = everything(app)
    theirs = {"connection_id": boris["connection_id"]}
    slot = {"kind": "slot", "set_id": boris["set_id"]}
    for body in (
        {"clip_id": boris["clip_id"], "to": [theirs]},
        {"clip_id": own.id, "to": [theirs]},
        {"clip_id": own.id, "set_id": boris["set_id"]},
        {"clip_id": own.id, "to": [theirs], "when": slot},
    ):
        answer = mine.post("/publications", body)
        assert answer.status_code == 404 and "Борис" not in answer.text, body
    items = [{"clip_id": own.id, **theirs}, {"clip_id": boris["clip_id"], **theirs, "when": slot}]
    assert mine.post("/publications/batch", {"items": items}).status_code == 404
    assert mine.get("/publications", query_string={"clip_id": boris["clip_id"]}).json["items"] == []
    assert everything(app) == before
