"""What holds for every page: access, headers and errors."""

import gzip
import json
import re

import brotli
import pytest

from app import api, create_app
from app.db import db
from app.problems import Problem
from app.serving import API
from app.web import hooks_in
from app.web.access import csrf
from app.web.headers import HEADERS

# A platform fetches a clip by a signed link.
PUBLIC = {"auth.sign_in", "auth.sign_up", "fetch.fetch", "health.process", "health.ready", "plan_feed.feed", "static"}
PUBLIC |= {
    "assets.scripts",
    "assets.style_sheet",
    "auth.session_state",
    "hooks_in.receive",
    "passkeys.challenge",
    "recovery.ask",
    "recovery.choose",
    "email.confirm",
    "privacy.page",
}
HTMX = {"HX-Request": "true"}


def addresses(app):
    """Every page's path, with something in the place of its arguments."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(API):
            continue  # it has keys: tests/api
        values = {name: 1 if "<int:" + name in rule.rule else "x" for name in rule.arguments}
        _, path = rule.build(values, append_unknown=False)
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            yield rule.endpoint, method, path


def test_everything_but_the_door_demands_a_user(app, client):
    app.config["WTF_CSRF_ENABLED"] = False  # it would refuse first
    open_to_all = set()
    for endpoint, method, path in addresses(app):
        answer = client.open(path, method=method)
        to_sign_in = answer.status_code == 303 and answer.location.startswith("/sign-in")
        if not to_sign_in and answer.status_code != 401:
            open_to_all.add(endpoint)
    assert open_to_all == PUBLIC


def test_a_change_needs_the_form_token(app, user, sign_in):
    browser = sign_in(user())
    del browser.environ_base["HTTP_X_CSRFTOKEN"]
    changes = [
        (method, path)
        for endpoint, method, path in addresses(app)
        if method != "GET" and endpoint != "hooks_in.receive"
    ]
    assert len(changes) > 10
    for method, path in changes:
        answer = browser.open(path, method=method, headers={"Tus-Resumable": "1.0.0"})
        assert answer.status_code in (400, 415), (method, path)
    assert "Страница устарела" in browser.post("/sign-out").text
    assert not csrf._exempt_views
    assert csrf._exempt_blueprints == {*api.blueprints(), hooks_in.blueprint}, "a browser sends no key by itself"


def test_the_sign_in_leads_back_to_the_page(client):
    assert client.get("/settings/profile?x=1").location == "/sign-in?next=/settings/profile?x%3D1"
    assert client.get("/").location == "/sign-in"


def test_a_part_of_a_page_takes_the_whole_page_to_the_sign_in(client):
    answer = client.get("/clips/changes", headers={**HTMX, "HX-Current-URL": "http://localhost/?page=2"})
    assert answer.status_code == 401
    assert json.loads(answer.headers["HX-Trigger"]) == {"signed-out": {"to": "/sign-in?next=/"}}


def test_a_page_whose_token_is_stale_gets_another(client, user, sign_in):
    browser = sign_in(user())
    stale = browser.environ_base.pop("HTTP_X_CSRFTOKEN")
    answer = browser.post("/clips", headers={**HTMX, "X-CSRFToken": "of another session"})
    assert answer.status_code == 400
    event = json.loads(answer.headers["HX-Trigger"])["stale-page"]
    state = browser.get(event["session"]).json
    assert state["user"] and state["token"] and state["token"] != "of another session"
    assert stale
    assert client.application.test_client().get(event["session"]).json["user"] is None


@pytest.mark.parametrize("path", ["/sign-in", "/", "/nowhere", "/static/nowhere.css"])
def test_headers(client, path):
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "HX-Request" in headers["Vary"]
    assert "Strict-Transport-Security" not in headers


def test_every_answer_carries_the_policies(app, user, ready_clip, sign_in):
    """Of every route and of every refusal: pages, parts of pages, files, 404 and 405."""
    one = user()
    clip_id = ready_clip(one).id
    browser, tried = sign_in(one), 0
    for _endpoint, method, path in addresses(app):
        if path.startswith(("/static/", "/assets/", "/ops/queues")):
            continue  # files without any user's data; an operators' page with a policy of its own
        answer = browser.open(path.replace("/1/", f"/{clip_id}/"), method=method, headers={"Tus-Resumable": "1.0.0"})
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "*" not in policy, path
        assert "default-src 'self'" in policy or policy == "sandbox; default-src 'none'", path
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (path, name)
        tried += 1
    assert tried > 30


_FILES = re.compile(r'"(/(?:assets/[0-9a-f]{10}|static)/[^"]+)"')


def test_files_carry_what_concerns_files(environment):
    """HSTS and nosniff, and nothing of a user: no cookie, no other origin that may read them, no private caching."""
    app = create_app({**environment, "PUBLIC_URL": "https://vezde.example"})
    client = app.test_client()
    site = "https://vezde.example"
    paths = _FILES.findall(client.get("/sign-in", base_url=site).text)
    assert {path.split("?")[0].rpartition(".")[2] for path in paths} >= {"css", "js", "svg"}
    for path in [*paths, "/static/nothing.svg", "/assets/0000000000/js/nothing.js"]:
        answer = client.get(path, base_url=site)
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Strict-Transport-Security"].startswith("max-age=31536000"), path
        assert not {"Set-Cookie", "Access-Control-Allow-Origin"} & set(headers), path
        if answer.status_code == 200:
            assert headers["Cache-Control"].startswith(("public", "max-age")), path
        else:  # a page
            assert answer.status_code == 404, path
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
            assert headers["Cache-Control"] == "private, no-store", path
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("secure", [False, True])
def test_cookies(environment, secure):
    url = "https://vezde.example" if secure else "http://localhost"
    app = create_app({**environment, "PUBLIC_URL": url, "EXTRA_HOSTS": "localhost"})
    answer = app.test_client().get("/sign-in")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-vezde_session=" if secure else "vezde_session=")
    assert "Path=/" in cookie and "Domain" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert ("Secure" in cookie) is secure
    assert ("Strict-Transport-Security" in answer.headers) is secure
    with app.app_context():
        db.engine.dispose()


def test_pages_hold_no_script_and_no_style(user, sign_in, ready_clip, telegram):
    one = user(is_admin=True)
    clip = ready_clip(one)
    telegram(one)
    browser = sign_in(one)
    paths = ["/", "/plans", "/ops", "/settings/profile", "/settings/password", "/settings/integrations", "/nowhere"]
    paths += ["/settings/security", "/settings/delete", "/privacy", "/recovery"]
    paths += [f"/clips/{clip.id}/{what}" for what in ("publish", "edit", "delete", "play")]
    for path in paths:
        answer = browser.get(path)
        assert answer.status_code == (404 if path == "/nowhere" else 200), path
        page = answer.text
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", page), path


def test_statics_are_kept_for_a_year_under_an_address_of_their_content(client):
    page = client.get("/sign-in").text
    paths = (
        r"/assets/[0-9a-f]{10}/app\.css",
        r"/assets/[0-9a-f]{10}/door\.js",
        r"/static/logo\.svg\?v=[0-9a-f]{10}",
    )
    for path in paths:
        answer = client.get(re.search(f'"({path})"', page)[1])
        assert answer.status_code == 200
        assert "max-age=31536000" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(("encoding", "unpack"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
def test_the_style_sheet_and_the_script_are_packed(client, encoding, unpack):
    for address in re.findall(r'"(/assets/[^"]+)"', client.get("/sign-in").text):
        packed = client.get(address, headers={"Accept-Encoding": encoding})
        assert packed.headers["Content-Encoding"] == encoding
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert unpack(packed.data) == client.get(address).data


def test_files_that_a_style_sheet_names_are_there(client):
    sheet = client.get(re.search(r'"(/assets/[^"]+\.css)"', client.get("/sign-in").text)[1]).text
    addresses = set(re.findall(r"url\(([^)]+)\)", sheet))
    assert len(addresses) >= 3
    for address in addresses:
        assert client.get(address).status_code == 200, address


@pytest.mark.parametrize("encoding", ["zstd", "br", "gzip"])
def test_pages_are_compressed(client, user, sign_in, encoding):
    browser = sign_in(user())
    plain = browser.get("/")
    packed = browser.get("/", headers={"Accept-Encoding": encoding})
    assert packed.headers["Content-Encoding"] == encoding
    assert len(packed.data) < len(plain.data) / 3
    assert "Accept-Encoding" in packed.headers["Vary"]


def test_pages_are_not_kept(client, user, sign_in):
    answer = sign_in(user()).get("/")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "Cookie" in answer.headers["Vary"]


def test_what_does_not_exist(client, user, sign_in):
    assert client.get("/nowhere").status_code == 404
    answer = sign_in(user()).get("/clips/12345/edit")
    assert answer.status_code == 404
    assert "Такой страницы нет" in answer.text


def test_an_error_of_a_fragment_is_a_toast(user, sign_in):
    answer = sign_in(user()).get("/clips/12345/edit", headers=HTMX)
    assert answer.status_code == 404
    assert answer.headers["HX-Trigger"].isascii()
    assert answer.get_data() == b""
    assert answer.headers["HX-Reswap"] == "none"


def test_a_bug_gets_a_code_that_stands_in_the_log(app, user, sign_in, caplog):
    from app.web.access import public

    @public
    def broken():
        raise RuntimeError("secret details")

    app.view_functions["health.process"] = broken
    answer = sign_in(user()).get("/healthz")
    assert answer.status_code == 500
    assert "secret details" not in answer.text
    code = re.search(r"код ([0-9a-f]{8})", answer.text)[1]
    assert code in caplog.text
    assert "secret details" in caplog.text


def test_a_refusal_without_a_form_goes_back_to_the_page(app, user, sign_in):
    def refuses():
        raise Problem("no_file")

    app.view_functions["plans.page"] = refuses
    browser = sign_in(user())
    answer = browser.get("/plans", headers={"Referer": "http://localhost/settings/profile"})
    assert (answer.status_code, answer.location) == (303, "/settings/profile")
    assert "Выберите файл с видео." in browser.get("/settings/profile").text
    assert browser.get("/plans", headers=HTMX).status_code == 422


def test_a_large_form_is_refused(user, sign_in):
    answer = sign_in(user()).post("/settings/profile", data={"name": "x" * (2 << 20)})
    assert answer.status_code == 413


def test_health(client):
    assert client.get("/healthz").text == "ok"
