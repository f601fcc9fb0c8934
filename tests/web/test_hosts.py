"""Names of the site: known ones are served, all others get a plain refusal, whatever the path."""

import pytest

from app import create_app, platforms
from app.config import BadSettings, load
from app.db import db
from app.services import users

PATHS = ("/", "/sign-in", "/static/logo.svg", "/nowhere", "/readyz", "/metrics", "/media/clips/1/video", "/fetch/x")


def test_a_foreign_name_gets_nothing(app, user, sign_in):
    browser = sign_in(user())
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example:80",
        "localhost,evil",
        "[::2]",
    ):
        for path in PATHS:
            answer = browser.get(path, headers={"Host": host})
            assert answer.status_code == 400, (host, path)
            assert "не узнаёт адрес" in answer.text and "evil" not in answer.text
        assert browser.post("/sign-out", headers={"Host": host}).status_code == 400


def test_a_request_without_a_name_gets_nothing(app, client):
    assert client.get("/sign-in", environ_overrides={"HTTP_HOST": ""}).status_code == 400


def test_a_paas_may_ask_an_address_whether_the_process_lives(client):
    answer = client.get("/healthz", headers={"Host": "10.1.2.3:8000"})
    assert (answer.status_code, answer.text) == (200, "ok")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:9000", "[::1]:8000"])
def test_all_names_of_this_machine_are_known_where_the_site_is_on_it(client, host):
    assert client.get("/sign-in", headers={"Host": host}).status_code == 200


@pytest.fixture
def public(environment):
    more = {"PUBLIC_URL": "https://Везде.example", "EXTRA_HOSTS": "www.vezde.example 10.0.0.7"}
    app = create_app(environment | more | {"HSTS_INCLUDE_SUBDOMAINS": "1"})
    yield app.test_client()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_a_public_site_knows_its_own_name_and_those_that_are_set(public):
    for host, status in {
        "xn--b1aecbi.example": 200,
        "www.vezde.example:443": 200,
        "10.0.0.7": 200,
        "localhost": 400,
        "sub.www.vezde.example": 400,
    }.items():
        assert public.get("/sign-in", headers={"Host": host}).status_code == status, host


def test_hsts_takes_subdomains_where_it_is_set(public, environment):
    hsts = public.get("/healthz").headers["Strict-Transport-Security"]
    assert hsts == "max-age=31536000; includeSubDomains"
    plain = create_app(environment | {"PUBLIC_URL": "https://vezde.example"})
    assert plain.test_client().get("/healthz").headers["Strict-Transport-Security"] == "max-age=31536000"
    with plain.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("text", ["https://vezde.example", "vezde.example:443", "a@b", "*.vezde.example"])
def test_a_name_is_only_a_name(environment, text):
    with pytest.raises(BadSettings, match="EXTRA_HOSTS: нужны имена"):
        load(environment | {"EXTRA_HOSTS": text}, platforms.settings())


@pytest.mark.parametrize("url", ["https://vezde.example", "http://192.168.1.5:8000", "http://localhost.evil.example"])
def test_demo_refuses_a_public_address(environment, url):
    with pytest.raises(BadSettings, match="DEMO: показ не запускается"):
        load(environment | {"DEMO": "1", "PUBLIC_URL": url}, platforms.settings())
    load(environment | {"DEMO": "0", "PUBLIC_URL": url}, platforms.settings())
    load(environment | {"DEMO": "1"}, platforms.settings())


@pytest.fixture
def demo_users(app):
    app.config["DEMO"] = True
    users.create_demo_users()
    db.session.commit()


def post(browser, path: str, **form: str):
    token = browser.get(path).text.partition('name="csrf_token" value="')[2].partition('"')[0]
    return browser.post(path, data={"csrf_token": token, **form})


def test_without_demo_its_users_are_signed_out_and_not_let_in(app, client, demo_users, sign_in):
    browser = sign_in(users.by_email("admin@demo.vezde.ru"))
    assert browser.get("/").status_code == 200
    app.config["DEMO"] = False
    assert browser.get("/").headers["Location"].startswith("/sign-in")

    passwords = users.DEMO_PASSWORD, "wrong-wrong"
    refused, wrong = (post(client, "/sign-in", email="admin@demo.vezde.ru", password=one) for one in passwords)
    assert refused.status_code == wrong.status_code and "не подходят" in refused.text
    assert client.get("/").headers["Location"].startswith("/sign-in")


def test_nobody_signs_up_as_one(app, client):
    answer = post(client, "/sign-up", name="Анна", email="New@demo.vezde.ru", password="long-enough")
    assert "не похоже на почту" in answer.text
