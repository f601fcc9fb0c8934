import pytest

from app.db import db
from app.models import ClipImport, ImportState, Render, Scope, Source
from app.services import imports, incoming_hooks, renders
from app.services.incoming_hooks import DEFAULTS
from tests.edges import committed

URL = "https://example.org/clips/a.mp4?key=secret"


def test_an_import_is_begun_watched_cancelled_and_repeated(api, owner):
    begun = api.post("/clips/import", {"url": URL, "title": "Премьера", "text": "Сегодня", "sha256": "A" * 64})
    assert begun.status_code == 202
    one = begun.json
    assert (one["status"], one["host"], one["clip_id"]) == ("waiting", "example.org", None)
    assert (one["source"], one["source_name"], one["sha256"]) == (Source.API, "Ферма", "a" * 64)
    assert "secret" not in begun.text
    render = db.session.get(Render, one["render_id"])
    assert (render.title, render.description) == ("Премьера", "Сегодня")
    assert api.get(f"/imports/{one['id']}").json == one
    assert api.post(f"/imports/{one['id']}/cancel").json["status"] == "cancelled"
    assert api.get("/imports?status=waiting").json["items"] == []
    assert api.post(f"/imports/{one['id']}/retry").json["status"] == "waiting"
    row = db.session.get(ClipImport, one["id"])
    row.state, row.reason = ImportState.FAILED, "import_not_found"
    db.session.commit()
    failed = api.get("/imports").json["items"][0]
    assert failed["reason"] == "import_not_found" and failed["detail"].startswith("Файла там больше нет")


def test_the_same_key_begins_one_import(api):
    first, again = (api.post("/clips/import", {"url": URL}, key="once") for _ in range(2))
    assert (first.json, first.status_code) == (again.json, again.status_code)
    assert db.session.scalar(db.select(db.func.count()).select_from(ClipImport)) == 1


def test_an_announced_clip_is_brought_by_it(api, owner, ready_clip):
    render = committed(renders.announce(owner, external_id="x", title="Анонс"))
    begun = api.post("/clips/import", {"url": URL, "render": render.id, "text": "Новое"})
    assert begun.json["render_id"] == render.id
    render = db.session.get(Render, render.id, populate_existing=True)
    assert (render.title, render.description) == ("Анонс", "Новое")
    render.clip_id = ready_clip(owner).id
    db.session.commit()
    refused = api.post("/clips/import", {"url": URL, "render": render.id})
    assert (refused.status_code, refused.json["code"]) == (409, "render_has_clip")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "field_required"),
        ({"url": "example.org"}, 422, "field_not_web_address"),
        ({"url": "file:///etc/passwd"}, 422, "field_not_web_address"),
        ({"url": "https://user:password@example.org/"}, 409, "import_url_with_password"),
        ({"url": "https://example.org:port/"}, 409, "import_url_malformed"),
        ({"url": URL, "sha256": "x"}, 422, "field_malformed"),
        ({"url": URL, "render": 999}, 404, "not_found"),
        ({"url": URL, "file": "x"}, 422, "field_unknown"),
    ],
)
def test_refusals(api, body, status, code):
    refused = api.post("/clips/import", body)
    found = refused.json["errors"][0]["code"] if "errors" in refused.json else refused.json["code"]
    assert (refused.status_code, found) == (status, code)


def test_incoming_webhooks_are_read_without_their_keys(program, owner):
    shown = committed(incoming_hooks.create(owner, "Монтаж", DEFAULTS, signed=True))
    reader = program(owner, Scope.READ)
    listed = reader.get("/incoming-hooks")
    assert [(one["name"], one["signed"], one["used_at"]) for one in listed.json["items"]] == [("Монтаж", True, None)]
    assert reader.get(f"/incoming-hooks/{shown.hook.id}").json == listed.json["items"][0]
    assert shown.key[-4:] not in listed.text and "whsec" not in listed.text
    assert list(imports.shown(owner)) == []
