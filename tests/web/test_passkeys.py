"""Passkeys over HTTP: signing in with one, adding and removing them, and who may ask for what."""

import re
from html import unescape

import pytest

from app.db import db
from app.services import audit_log, passkeys, second_factor
from tests import codes
from tests.authenticator import PRESENT, Authenticator

PASSWORD = "parol-parol"


@pytest.fixture
def environment(environment):
    """Passkeys are for hosts with a name."""
    environment["PUBLIC_URL"] = environment["PUBLIC_URL"].replace("127.0.0.1", "localhost")
    return environment


def token(client, path: str = "/sign-in") -> dict[str, str]:
    return {"csrf_token": re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)[1]}


def add_passkey(web, **proof) -> tuple[Authenticator, str]:
    """The authenticator, and the page that was shown then."""
    assert web.post("/passkeys/add", data=proof).location == "/passkeys/create"
    options = unescape(re.search(r'data-options="([^"]+)"', web.get("/passkeys/create").text)[1])
    authenticator = Authenticator()
    answer = web.post("/passkeys/create", data={"name": "Телефон", "passkey": authenticator.create(options)})
    return authenticator, answer.text


@pytest.fixture
def anna(user, sign_in):
    one = user(email="anna@example.org")
    browser = sign_in(one)
    one.key, page = add_passkey(browser, password=PASSWORD)
    one.recovery_codes = re.findall("<code>([a-z2-7-]{19})</code>", page)
    return one


def sign_with(client, authenticator: Authenticator, path: str = "/passkeys/sign-in?next=/plans", **changed):
    form = token(client)
    options = client.post("/passkeys/challenge", data=form)
    assert options.headers["Cache-Control"] == "no-store"
    return client.post(path, data={**form, "passkey": authenticator.get(options.text, **changed)})


def test_signing_in_without_a_password(client, anna):
    answer = sign_with(client, anna.key)
    assert (answer.status_code, answer.location) == (303, "/plans")
    assert client.get("/plans").status_code == 200
    assert audit_log.latest(anna)[0].detail == "ключ доступа «Телефон»"


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_a_sign_in_stays_on_this_site(client, anna, to):
    assert sign_with(client, anna.key, f"/passkeys/sign-in?next={to}").location == "/"


def test_a_refused_passkey_says_so_and_opens_nothing(client, anna):
    answer = sign_with(client, anna.key, flags=PRESENT)
    assert answer.location == "/sign-in?next=/plans"
    assert "Ключ доступа не подошёл" in client.get(answer.location).text
    assert client.get("/plans").location.startswith("/sign-in")


def test_the_password_alone_opens_nothing_and_the_passkey_completes_it(client, anna):
    answer = client.post("/sign-in", data={**token(client), "email": anna.email, "password": PASSWORD})
    assert answer.location.startswith("/sign-in/code")
    assert client.get("/plans").location.startswith("/sign-in")
    assert "Войти с ключом доступа" in client.get("/sign-in/code").text
    assert sign_with(client, anna.key).location == "/plans"


def test_a_recovery_code_replaces_the_passkey_once(app, anna):
    assert len(anna.recovery_codes) == 10
    for status in (303, 422):
        browser = app.test_client()
        browser.post("/sign-in", data={**token(browser), "email": anna.email, "password": PASSWORD})
        code = {**token(browser, "/sign-in/code"), "code": anna.recovery_codes[0]}
        assert browser.post("/sign-in/code", data=code).status_code == status


def test_a_response_is_good_in_the_browser_that_asked_and_once(app, client, anna):
    form = token(client)
    response = anna.key.get(client.post("/passkeys/challenge", data=form).text)
    other = app.test_client()
    assert other.post("/passkeys/sign-in", data={**token(other), "passkey": response}).location.startswith("/sign-in")
    assert client.post("/passkeys/sign-in", data={**form, "passkey": response}).location == "/"
    client.delete_cookie("vezde_session")
    client.delete_cookie("vezde_remember")
    assert client.post("/passkeys/sign-in", data={**token(client), "passkey": response}).location.startswith("/sign-in")


def test_too_many_challenges_are_refused_in_words(client, anna):
    form = token(client)
    answers = [client.post("/passkeys/challenge", data=form) for _ in range(51)]
    assert [answer.status_code for answer in answers] == [200] * 50 + [429]
    assert "Слишком много попыток" in answers[-1].json["problem"]


def test_adding_needs_the_password_and_then_a_factor(web, owner):
    assert web.get("/passkeys/create").location == "/passkeys/add"
    assert web.post("/passkeys/add", data={"password": "wrong-wrong"}).status_code == 422
    key, page = add_passkey(web, password=PASSWORD)
    assert "Сохраните их сейчас" in page
    assert "Телефон" in web.get("/settings/second-factor").text
    assert web.post("/passkeys/add", data={"password": PASSWORD}).status_code == 422, "the password is no proof now"
    assert web.post("/passkeys/add", data={"code": "wrong"}).status_code == 422
    assert web.post("/passkeys/add", data={"passkey": "wrong"}).status_code == 422
    add_passkey(web, passkey=key.get(web.post("/passkeys/challenge").text))
    assert len(passkeys.all_of(owner)) == 2
    assert web.get("/passkeys/create").location == "/passkeys/add", "one proof adds one passkey"


def test_a_name_that_will_not_do_loses_nothing(web, owner):
    web.post("/passkeys/add", data={"password": PASSWORD})
    answer = web.post("/passkeys/create", data={"name": "x" * 61, "passkey": "{}"})
    assert answer.status_code == 422
    assert "не больше 60 знаков" in answer.text and "data-options" in answer.text
    answer = web.post("/passkeys/create", data={"name": "Телефон", "passkey": "{}"})
    assert "Ключ доступа не добавлен" in web.get(answer.location).text


def test_removing_needs_a_factor(web, owner):
    key, _ = add_passkey(web, password=PASSWORD)
    [passkey] = passkeys.all_of(owner)
    path = f"/passkeys/{passkey.id}/remove"
    assert "Телефон" in web.get(path).text
    assert web.post(path, data={"password": PASSWORD}).status_code == 422
    assert web.post(path, data={"passkey": key.get(web.post("/passkeys/challenge").text)}).status_code == 303
    assert not second_factor.is_needed(owner)
    assert "ещё не использован" not in web.get("/settings/second-factor").text


def test_a_passkey_proves_for_the_application_and_the_codes(web, owner):
    key, _ = add_passkey(web, password=PASSWORD)
    assert web.post("/settings/second-factor", data={"password": PASSWORD}).status_code == 422
    web.post("/settings/second-factor", data={"passkey": key.get(web.post("/passkeys/challenge").text)})
    secret = second_factor.unconfirmed_key(owner)
    assert web.post("/settings/second-factor/confirm", data={"code": codes.at(secret)}).status_code == 200
    proof = {"passkey": key.get(web.post("/passkeys/challenge").text)}
    assert "Сохраните их сейчас" in web.post("/settings/second-factor/codes", data=proof).text
    assert web.post("/settings/second-factor/codes", data=proof).status_code == 422, "a replay"
    proof = {"passkey": key.get(web.post("/passkeys/challenge").text)}
    assert web.post("/settings/second-factor/remove", data=proof).status_code == 303
    assert second_factor.is_needed(owner) and not second_factor.has_application(owner)


def test_wrong_passkeys_use_up_the_ten_attempts(web, owner):
    add_passkey(web, password=PASSWORD)
    answers = [web.post("/settings/second-factor/codes", data={"passkey": "wrong"}).text for _ in range(11)]
    assert ["Слишком много" in answer for answer in answers] == [False] * 10 + [True]


def test_an_administrator_may_set_up_a_passkey_first(user, sign_in):
    admin = user()
    admin.is_admin = True
    db.session.commit()
    browser = sign_in(admin)
    assert browser.get("/ops").location == "/settings/second-factor"
    add_passkey(browser, password=PASSWORD)
    assert browser.get("/ops").status_code == 200


def test_the_command_removes_passkeys_too(anna, command):
    assert command("users", "no-second-factor", anna.email).exit_code == 0
    assert passkeys.all_of(anna) == []


def test_the_export_names_passkeys_without_their_keys(web, owner):
    add_passkey(web, password=PASSWORD)
    [exported] = web.post("/settings/data").json["passkeys"]
    assert exported.keys() == {"id", "name", "created_at", "used_at"}


def test_where_the_site_has_no_name_nothing_is_offered(app, web, client):
    app.config["PUBLIC_URL"] = "http://127.0.0.1:8000"
    assert "ключом доступа" not in client.get("/sign-in").text
    page = web.get("/settings/second-factor").text
    assert "Добавить ключ доступа" not in page and "http://127.0.0.1:8000" in page


def test_at_an_address_of_this_machine_the_page_says_how_to_have_them(app, web):
    app.config["PUBLIC_URL"] = "http://127.0.0.1:8000"
    page = web.get("/settings/second-factor").text
    assert "PUBLIC_URL=http://localhost:8000 make run" in page
    assert "/passkeys/add" not in page
