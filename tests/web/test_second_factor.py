"""Setting up a second factor, signing in with it, and administrators without it."""

import re
from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.services import audit_log, second_factor
from tests import codes

PASSWORD = "parol-parol"


def send(client, path: str, **fields):
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)[1]
    return client.post(path, data={"csrf_token": token, **fields})


def give_password(client, email: str):
    return send(client, "/sign-in?next=/plans", email=email, password=PASSWORD)


@pytest.fixture
def anna(user):
    one = user(email="anna@example.org")
    one.key, one.recovery_codes = codes.set_up(one)
    db.session.commit()
    return one


def test_the_password_alone_opens_nothing(client, anna):
    answer = give_password(client, anna.email)
    assert answer.location == "/sign-in/code?next=/plans"
    for path in ("/", "/settings/security", "/settings/second-factor"):
        assert client.get(path).location.startswith("/sign-in")
    answer = send(client, answer.location, code="000000x")
    assert (answer.status_code, "Код не подходит" in answer.text) == (422, True)
    answer = send(client, "/sign-in/code?next=/plans", code=codes.at(anna.key))
    assert (answer.status_code, answer.location) == (303, "/plans")
    assert client.get("/plans").status_code == 200
    kinds = [event.kind for event in audit_log.latest(anna)][:3]
    assert kinds == ["signed_in", "second_factor_failed", "password_accepted"]


def test_a_recovery_code_signs_in_once(app, anna):
    for status in (303, 422):
        browser = app.test_client()
        give_password(browser, anna.email)
        assert send(browser, "/sign-in/code", code=anna.recovery_codes[0]).status_code == status


def test_the_code_is_asked_in_the_browser_that_gave_the_password_and_for_five_minutes(app, client, anna):
    give_password(client, anna.email)
    assert app.test_client().get("/sign-in/code").location.startswith("/sign-in")
    with client.session_transaction() as session:
        session["awaits_code"][2] = int((clock.now() - timedelta(seconds=1)).timestamp())
        session.modified = True
    assert client.get("/sign-in/code").location.startswith("/sign-in")


def test_signing_out_everywhere_ends_a_half_done_sign_in(client, anna, sign_in):
    give_password(client, anna.email)
    sign_in(anna).post("/settings/security/sessions/end-others")
    assert client.get("/sign-in/code").location.startswith("/sign-in")


def test_ten_wrong_codes_are_all_whatever_browser_sends_them(app, anna):
    statuses = []
    for _ in range(3):
        browser = app.test_client()
        give_password(browser, anna.email)
        statuses += ["Слишком много" in send(browser, "/sign-in/code", code="wrong").text for _ in range(4)]
    assert statuses == [False] * 10 + [True] * 2


def test_setting_up_and_removing(web, owner):
    assert "Включить" in web.get("/settings/security").text
    assert web.post("/settings/second-factor", data={"password": "wrong-wrong"}).status_code == 422
    assert web.get("/settings/second-factor/confirm").location == "/settings/second-factor"
    answer = web.post("/settings/second-factor", data={"password": PASSWORD})
    assert answer.location == "/settings/second-factor/confirm"
    page = web.get(answer.location).text
    key = second_factor.unconfirmed_key(owner)
    assert "<svg" in page and " style=" not in page
    assert " ".join(key[at : at + 4] for at in range(0, 32, 4)) in page
    assert web.post("/settings/second-factor/confirm", data={"code": "wrong"}).status_code == 422
    shown = web.post("/settings/second-factor/confirm", data={"code": codes.at(key, -1)}).text
    recovery_codes = re.findall("<code>([a-z2-7-]{19})</code>", shown)
    assert len(recovery_codes) == 10
    assert recovery_codes[0] not in web.get("/settings/second-factor").text
    renewed = web.post("/settings/second-factor/codes", data={"code": codes.at(key)}).text
    assert len(re.findall("<code>([a-z2-7-]{19})</code>", renewed)) == 10
    assert web.post("/settings/second-factor/remove", data={"code": recovery_codes[0]}).status_code == 422
    assert web.post("/settings/second-factor/remove", data={"code": codes.at(key, 1)}).status_code == 303
    assert not second_factor.is_needed(owner)


def test_a_new_password_by_letter_does_not_replace_the_code(client, anna):
    from app.services import users

    users.reset_password(anna.email, "drugoi-parol")
    db.session.commit()
    answer = send(client, "/sign-in", email=anna.email, password="drugoi-parol")
    assert answer.location.startswith("/sign-in/code")


def test_an_administrator_without_it_is_led_to_the_set_up(app, user, sign_in):
    admin = user()
    admin.is_admin = True
    db.session.commit()
    browser = sign_in(admin)
    for path in ("/", "/ops", "/ops/queues/", "/settings/security", "/settings/data", "/plans"):
        answer = browser.post(path) if path == "/settings/data" else browser.get(path)
        assert (answer.status_code, answer.location) == (303, "/settings/second-factor"), path
    assert browser.get("/metrics").status_code == 401
    assert "Администраторам" in browser.get("/settings/second-factor").text
    codes.set_up(admin)
    db.session.commit()
    assert browser.get("/ops").status_code == 200
    assert browser.get("/metrics").status_code == 200


def test_the_command_removes_it_and_signs_out(client, anna, command, sign_in):
    browser = sign_in(anna)
    assert command("users", "no-second-factor", anna.email).exit_code == 0
    assert browser.get("/").location.startswith("/sign-in")
    assert give_password(client, anna.email).location == "/plans"


def test_before_an_export_the_code_is_asked_with_the_password(app, client, anna):
    give_password(client, anna.email)
    send(client, "/sign-in/code", code=codes.at(anna.key))
    clock.correct(clock.now() + timedelta(minutes=11))
    page = "/settings/confirm?next=/settings/profile"
    answer = send(client, page, **{"confirm-password": PASSWORD})
    assert (answer.status_code, "Код не подходит" in answer.text) == (422, True)
    answer = send(client, page, **{"confirm-password": PASSWORD, "confirm-code": codes.at(anna.key)})
    assert answer.location == "/settings/profile"
