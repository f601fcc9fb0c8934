"""Sessions: a copied cookie is worth nothing once the session has ended, however it ends."""

import re
from datetime import timedelta

import pytest

from app import clock
from app.db import db
from app.models import KnownBrowser, Notification, UserSession
from app.notifications import create
from app.services import audit_log, sessions, users
from tests.asking import asked

PASSWORD = "parol-parol"
PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36"


def token_of(page: str) -> str:
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


def enter(client, password: str = PASSWORD, **more):
    form = {"csrf_token": token_of(client.get("/sign-in").text), "email": "anna@example.org", "password": password}
    return client.post("/sign-in", data=form, **more)


def send(client, path: str, page: str = "/settings/security", **form):
    return client.post(path, data={"csrf_token": token_of(client.get(page).text), **form})


def stolen_from(app, client):
    """Another browser with copies of all cookies."""
    thief = app.test_client()
    for cookie in client._cookies.values():
        thief.set_cookie(cookie.key, cookie.value)
    assert thief.get("/").status_code == 200
    return thief


def later(**how) -> None:
    clock.correct(clock.now() + timedelta(**how))


@pytest.fixture
def anna(user):
    return user(email="anna@example.org")


@pytest.fixture
def browser(app, anna):
    client = app.test_client()
    assert enter(client).status_code == 303
    return client


def change_password(browser, _anna):
    send(browser, "/settings/password", present=PASSWORD, new="lodka-i-sneg")


def recover(_browser, anna):
    users.recover(lambda: anna, "lodka-i-sneg")


def end_from_elsewhere(browser, anna):
    elsewhere = browser.application.test_client()
    enter(elsewhere)
    first = sessions.all_of(anna)[-1]
    assert send(elsewhere, f"/settings/security/sessions/{first.id}/end").status_code == 303


ENDS = {
    "sign-out": lambda browser, _anna: send(browser, "/sign-out"),
    "new password": change_password,
    "recovery": recover,
    "ended": end_from_elsewhere,
    "operator": lambda _browser, _anna: users.reset_password("anna@example.org", "lodka-i-sneg"),
    "deletion": lambda browser, _anna: send(browser, "/settings/delete", password=PASSWORD),
    "30 days": lambda *_: [use_and_wait(*_) for _week in range(3)],
    "14 idle": lambda *_: later(days=14, seconds=1),
}


def use_and_wait(browser, _anna) -> None:
    assert browser.get("/").status_code == 200, "it is in use"
    later(days=10, seconds=1)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_a_stolen_cookie_ends_with_its_session(app, anna, browser, end):
    thief = stolen_from(app, browser)
    end(browser, anna)
    db.session.commit()
    assert thief.get("/").location == "/sign-in"


def test_the_database_opens_no_session(app, anna, browser):
    with browser.session_transaction() as session:
        token = session["token"]
    [row] = sessions.all_of(anna)
    assert token not in repr([getattr(row, column.name) for column in UserSession.__table__.columns])
    assert sessions.find(row.token_hash) is None


def test_the_devices_are_listed(app, anna, browser):
    phone = app.test_client()
    enter(phone, headers={"User-Agent": PHONE})
    page = browser.get("/settings/security").text
    for words in ("Chrome, Android", "это устройство", "127.0.0.1", "Завершить все остальные"):
        assert words in page
    assert audit_log.latest(anna)[0].kind == "signed_in"


def test_another_users_session_cannot_be_ended(browser, user, sign_in):
    boris = user(email="boris@example.org")
    his = sign_in(boris)
    [row] = sessions.all_of(boris)
    assert send(browser, f"/settings/security/sessions/{row.id}/end").status_code == 404
    assert his.get("/").status_code == 200


def test_a_use_is_written_once_in_a_few_minutes(anna, browser):
    before = sessions.all_of(anna)[0].seen_at
    later(minutes=6)
    counts = []
    for _ in range(2):
        with asked() as found:
            browser.get("/settings/security")
        counts.append(sum(one.startswith("UPDATE user_sessions") for one, *_ in found))
    assert counts == [1, 0]
    db.session.expire_all()
    assert sessions.all_of(anna)[0].seen_at > before


def test_the_rows_of_a_user_are_bounded(app, anna):
    tokens = [sessions.begin(anna, "", "", "").token for _ in range(sessions.MAX_PER_USER + 1)]
    assert sessions.find(tokens[0]) is None
    assert len(sessions.all_of(anna)) == sessions.MAX_PER_USER
    assert db.session.query(KnownBrowser).count() == sessions.MAX_PER_USER


def test_old_rows_are_swept(anna, browser):
    later(days=sessions.BROWSER_KEPT.days, seconds=1)
    sessions.sweep()
    db.session.commit()
    assert db.session.query(UserSession).count() == 0
    assert not sessions.is_known("anna@example.org", browser.get_cookie("vezde_browser").value)


def test_after_the_sign_out_nothing_stays_in_the_browser(anna, browser):
    answer = send(browser, "/sign-out")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert browser.get_cookie("vezde_session") is None
    assert enter(browser).status_code == 303


def test_a_new_device_is_notified_and_a_known_one_is_not(app, anna, browser):
    anna_id = anna.id
    send(browser, "/sign-out")
    enter(browser)
    create.read_events()
    assert db.session.query(Notification).count() == 0
    enter(app.test_client(), headers={"User-Agent": PHONE})
    create.read_events()
    [notification] = db.session.query(Notification)
    assert (notification.kind, notification.user_id) == ("new_device", anna_id)
    page = browser.get("/notices").text
    for words in ("Вход с нового устройства", "Chrome, Android", "127.0.0.1", "/settings/security"):
        assert words in page


def test_a_planted_browser_cookie_is_not_known_after_a_sign_in(app, anna, user, browser):
    """Neither one that was copied before."""
    old = browser.get_cookie("vezde_browser").value
    send(browser, "/sign-out")
    enter(browser)
    assert not sessions.is_known("anna@example.org", old)
    assert sessions.is_known("anna@example.org", browser.get_cookie("vezde_browser").value)


def test_strangers_do_not_lock_the_owner_out(app, anna, browser):
    send(browser, "/sign-out")
    for _ in range(10):
        assert enter(app.test_client(), "wrong-wrong").status_code == 422
    assert "Слишком много попыток" in enter(app.test_client()).text
    assert enter(browser).status_code == 303, "a browser that is known"
    assert send(browser, "/settings/password", present=PASSWORD, new="lodka-i-sneg").status_code == 303


def test_a_known_browser_may_not_guess_either(browser):
    send(browser, "/sign-out")
    for _ in range(10):
        assert enter(browser, "wrong-wrong").status_code == 422
    assert "Слишком много попыток" in enter(browser).text


def test_what_a_stolen_session_must_not_do_is_asked_again(app, anna, browser):
    later(minutes=11)
    for path in ("/settings/delete", "/settings/password"):
        assert browser.get(path).location == f"/settings/confirm?next={path}"
        assert send(browser, path, password=PASSWORD, present=PASSWORD, new="lodka-i-sneg").status_code == 403
    assert users.authenticate("anna@example.org", PASSWORD, "192.0.2.7"), "nothing is changed"
    assert send(browser, "/settings/data").status_code == 403


def test_what_was_sent_is_not_lost(app, anna, browser):
    later(minutes=11)
    asked_again = send(browser, "/settings/password", present=PASSWORD, new="lodka-i-sneg")
    form = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', asked_again.text))
    thief = stolen_from(app, browser)
    wrong = browser.post("/settings/confirm?next=/settings/password", data={**form, "confirm-password": "no-no-no-no"})
    assert wrong.status_code == 422
    assert 'name="new" value="lodka-i-sneg"' in wrong.text
    right = browser.post(
        "/settings/confirm?next=/settings/password", data={**form, "confirm-password": PASSWORD}, follow_redirects=False
    )
    assert (right.status_code, right.location) == (307, "/settings/password")
    assert thief.get("/").status_code == 303, "the token is another one"
    assert browser.post("/settings/password", data={**form, "confirm-password": PASSWORD}).status_code == 303
    assert users.authenticate("anna@example.org", "lodka-i-sneg", "192.0.2.7")


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example"])
def test_the_confirmation_does_not_lead_away(browser, to):
    page = browser.get("/settings/confirm", query_string={"next": to})
    data = {"csrf_token": token_of(page.text), "confirm-password": PASSWORD}
    answer = browser.post("/settings/confirm", query_string={"next": to}, data=data)
    assert (answer.status_code, answer.location) == (303, "/settings/security")
