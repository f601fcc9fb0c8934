import html
import json
import re

from app.db import db
from app.models import ClipImport, HookDelivery, IncomingHook
from app.services import incoming_hooks, throttle
from app.services.hook_requests import _CALLS_PER_HOOK
from app.services.incoming_hooks import DEFAULTS
from tests.edges import committed

URL = "https://example.org/a.mp4"
HX = {"HX-Request": "true", "HX-Current-URL": "http://localhost/settings/hooks"}


def create(web, **more) -> str:
    """The path of its address."""
    shown = web.post("/settings/hooks/new", data={"name": "Ферма", **DEFAULTS, **more}).text
    [address] = re.findall(r'<textarea id="hook-address"[^>]*>([^<]+)', shown)
    return html.unescape(address).partition("/hooks/in/")[2]


def test_an_address_is_shown_once_and_takes_calls_of_programs(web, client, owner):
    key = create(web)
    assert key not in web.get("/settings/hooks").text
    called = client.post(f"/hooks/in/{key}", json={"url": URL, "id": "1"})
    assert called.status_code == 202 and called.json.keys() == {"render_id", "import_id"}
    assert db.session.get(ClipImport, called.json["import_id"]).url == URL
    again = client.post(f"/hooks/in/{key}", json={"url": URL, "id": "1"})
    assert (again.status_code, again.json) == (200, called.json)
    assert "Set-Cookie" not in called.headers
    page = web.get("/settings/hooks").text
    assert "Последние вызовы: 2" in page and "Принят" in page


def test_refusals_are_problems_with_codes_and_are_kept(web, client):
    key = create(web)
    path = f"/hooks/in/{key}"
    for send, status, code in (
        ({"data": b"{", "content_type": "application/json"}, 400, "hook_body_not_json"),
        ({"data": {"url": URL}}, 400, "hook_body_not_json"),
        ({"json": {"url": "x"}}, 422, "import_url_malformed"),
        ({"data": b" " * (257 << 10), "content_type": "application/json"}, 413, "hook_body_too_large"),
    ):
        refused = client.post(path, **send)
        assert (refused.status_code, refused.json["code"]) == (status, code)
        assert refused.mimetype == "application/problem+json" and re.search("[а-я]", refused.json["detail"])
    large = {"url": URL, "pad": "x" * (200 << 10)}
    assert client.post(path, json=large).status_code == 202
    assert client.post(f"{path}x", json={"url": URL}).json["code"] == "hook_unknown"
    assert client.get(path).status_code == 405
    assert db.session.scalar(db.select(db.func.count()).select_from(HookDelivery)) == 4


def test_too_many_calls_are_asked_to_wait(web, client):
    key = create(web)
    hook = db.session.scalar(db.select(IncomingHook))
    for _ in range(_CALLS_PER_HOOK.times):
        throttle.hit((_CALLS_PER_HOOK, str(hook.id)))
    refused = client.post(f"/hooks/in/{key}", json={"url": URL})
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0


def test_a_mapping_is_tried_on_an_example_before_it_is_saved(web):
    sample = json.dumps({"data": {"file": URL, "name": "Море"}})
    typed = {"name": "Ферма", "url": "data.file", "title": "data.name", "sample": sample}
    tried = web.post("/settings/hooks/new/try", data=typed)
    assert tried.status_code == 200 and "<dd>Море</dd>" in tried.text
    wrong = web.post("/settings/hooks/new/try", data={**typed, "url": "file"})
    assert wrong.status_code == 422 and "нет ссылки на файл" in wrong.text and "data.name" in wrong.text
    assert db.session.scalar(db.select(IncomingHook)) is None
    refused = web.post("/settings/hooks/new", data={"name": "", "url": "a b"})
    assert refused.status_code == 422 and 'value="a b"' in refused.text


def test_edit_renew_delete(web, client, owner):
    key = create(web, signed="1")
    hook = db.session.scalar(db.select(IncomingHook))
    assert client.post(f"/hooks/in/{key}", json={"url": URL}).status_code == 401
    for what in ("edit", "renew", "delete"):
        assert web.get(f"/settings/hooks/{hook.id}/{what}").status_code == 200
    web.post(f"/settings/hooks/{hook.id}/edit", data={"name": "Другая", "url": "link"})
    hook = db.session.scalar(db.select(IncomingHook))
    assert (hook.name, hook.mapping) == ("Другая", {"url": "link"})
    renewed = web.post(f"/settings/hooks/{hook.id}/renew", headers=HX)
    assert "reload-page" in renewed.headers["HX-Trigger-After-Settle"] and "whsec_" not in renewed.text
    assert client.post(f"/hooks/in/{key}", json={"link": URL}).status_code == 404
    web.post(f"/settings/hooks/{hook.id}/delete")
    assert db.session.scalar(db.select(IncomingHook)) is None


def test_a_strangers_webhook_is_not_found(web, user):
    hook = committed(incoming_hooks.create(user(), "x", DEFAULTS, signed=False)).hook
    for what in ("edit", "renew", "delete"):
        assert web.get(f"/settings/hooks/{hook.id}/{what}").status_code == 404
        assert web.post(f"/settings/hooks/{hook.id}/{what}", data={"name": "y", "url": "url"}).status_code == 404
