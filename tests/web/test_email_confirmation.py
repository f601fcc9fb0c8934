"""The e-mail of a sign-up: confirmed by a letter's link, and nothing else is mailed before."""

import re
from datetime import timedelta

import pytest

from app import clock, jobs
from app.db import db
from app.models import AuditEvent, Notification, Recovery, User
from app.queue import queue
from app.queue.table import CHORES
from app.services import email_confirmation, users
from tests.letters import deliver, link_in
from tests.publishing.conftest import at_work, wait_until

ANNA = "anna@example.org"
STRIP = "Подтвердите почту"


def token_of(page: str) -> str:
    return re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]


def send(browser, path: str, page: str, **fields):
    return browser.post(path, data={"csrf_token": token_of(browser.get(page).text), **fields})


@pytest.fixture
def sign_up(app):
    """A browser in which a user has just signed up."""

    def make(email: str = ANNA, name: str = "Анна"):
        browser = app.test_client()
        fields = {"name": name, "email": email, "password": "parol-parol", "timezone": "Europe/Moscow", "consent": "y"}
        assert send(browser, "/sign-up", "/sign-up", **fields).location == "/"
        return browser

    return make


def confirmed_at(email: str = ANNA):
    db.session.rollback()
    return users.by_email(email).email_confirmed_at


def test_the_letter_of_a_sign_up_confirms(app, sign_up, sandbox):
    browser = sign_up()
    deliver(app)
    assert STRIP in browser.get("/").text
    [letter] = sandbox.mails
    assert (letter["to"], letter["subject"]) == ([ANNA], email_confirmation.SUBJECT)
    link, elsewhere = link_in(sandbox), app.test_client()
    assert ANNA in elsewhere.get(link).text
    assert confirmed_at() is None, "a mail filter opens links too"
    assert send(elsewhere, link, link).location == "/"
    assert confirmed_at()
    assert STRIP not in browser.get("/").text
    assert "Почта подтверждена" in browser.get("/settings/security").text
    again = elsewhere.get(link)
    assert (again.status_code, "больше ничего не нужно" in again.text) == (200, True)


def test_the_letter_says_nothing_that_was_typed(app, sign_up, sandbox):
    sign_up(name="Выигрыш: spam.example")
    deliver(app)
    assert "spam.example" not in str(sandbox.mails)


def test_before_it_no_password_is_recovered_and_afterwards_it_is(app, sign_up, sandbox):
    sign_up()
    deliver(app)
    asking = app.test_client()
    assert send(asking, "/recovery", "/recovery", email=ANNA).status_code == 200
    deliver(app)
    assert [letter["subject"] for letter in sandbox.mails] == [email_confirmation.SUBJECT] * 2
    link = link_in(sandbox)
    send(asking, link, link)
    send(asking, "/recovery", "/recovery", email=ANNA)
    deliver(app)
    assert link_in(sandbox).startswith("/recovery/")


def test_notifications_wait_at_the_bell(app, sign_up, sandbox):
    browser = sign_up()
    queue(CHORES).empty()
    anna = users.by_email(ANNA)
    facts = {"platform": "VK", "account": "Анна"}
    db.session.add(Notification(user_id=anna.id, kind="reconnect", dedup_key="1", facts=facts, wake_at=clock.now()))
    db.session.commit()
    for notification_id in at_work(jobs.email.due):
        at_work(jobs.mail_notification, notification_id)
    assert sandbox.mails == []
    assert at_work(jobs.email.due) == []
    assert "Переподключите VK" in browser.get("/notices").text


def test_another_letter(app, sign_up, sandbox):
    browser = sign_up()
    answer = send(browser, "/email", "/")
    assert (answer.status_code, answer.location) == (303, "/")
    assert f"Письмо на {ANNA} в пути" in browser.get("/").text
    deliver(app)
    assert len(sandbox.mails) == 2


def test_an_address_gets_five_letters_a_day_whoever_asks_for_them(app, sign_up, sandbox):
    for _ in range(2):
        browser = sign_up()
        send(browser, "/email", "/")
        deliver(app)
        db.session.delete(users.by_email(ANNA))
        db.session.commit()
    browser, stranger = sign_up(), app.test_client()
    assert "Слишком много попыток" in (send(browser, "/email", "/"), browser.get("/").text)[1]
    assert send(stranger, "/recovery", "/recovery", email=ANNA).status_code == 200
    deliver(app)
    assert len(sandbox.mails) == 5
    assert db.session.query(Recovery).count() == 0


def test_a_letter_that_waited_is_not_sent_once_the_email_is_confirmed(app, sign_up, sandbox):
    browser = sign_up()
    deliver(app)
    send(browser, "/email", "/")
    link = link_in(sandbox)
    send(browser, link, link)
    deliver(app)
    assert len(sandbox.mails) == 1
    assert "Подтверждать почту не нужно" in (send(browser, "/email", "/"), browser.get("/").text)[1]


def test_a_letter_is_tried_again(app, sign_up, sandbox):
    sandbox.trouble({"match": "MAIL", "do": "status:451", "times": 1})
    sign_up()
    deliver(app)
    assert sandbox.mails == []
    wait_until(clock.now() + timedelta(minutes=1))
    at_work(jobs.wake_recovery_mails)
    deliver(app)
    assert link_in(sandbox).startswith("/email/")


def test_a_link_works_for_a_day_with_this_email_and_this_key(app, sign_up, sandbox):
    sign_up()
    deliver(app)
    link = link_in(sandbox)
    anna = users.by_email(ANNA)
    anna.email = "other@example.org"
    db.session.commit()
    assert app.test_client().get(link).status_code == 404
    anna = users.by_email("other@example.org")
    anna.email = ANNA
    db.session.commit()
    assert app.test_client().get(link).status_code == 200
    app.config["SECRET_KEY"] = "another" * 8
    assert "Ссылка больше не работает" in app.test_client().get(link).text


@pytest.mark.parametrize("link", ["x", "WzEsInh4Il0.aaaa.bbbb", "%00", "a" * 3000, "..%2f.."])
def test_a_made_up_link(client, link):
    assert client.get(f"/email/{link}").status_code in (400, 404)


def test_a_recovery_link_confirms_nothing(app, user, sandbox):
    user(email=ANNA)
    browser = app.test_client()
    send(browser, "/recovery", "/recovery", email=ANNA)
    deliver(app)
    assert browser.get(link_in(sandbox).replace("/recovery/", "/email/")).status_code == 404


def test_without_a_mail_server_nothing_is_asked(app, sign_up):
    app.config["SMTP_URL"] = ""
    browser = sign_up()
    assert queue(CHORES).count == 0
    assert STRIP not in browser.get("/").text


def test_an_operators_users_and_those_of_the_demo_are_confirmed(app, command):
    command("users", "add", "--name", "Борис", "--password", "parol-parol", "boris@example.org")
    users.create_demo_users()
    db.session.commit()
    assert db.session.query(User).count() > 4
    assert db.session.query(User).filter(User.email_confirmed_at.is_(None)).count() == 0
    assert queue(CHORES).count == 0


def test_what_was_done_is_recorded(app, sign_up, sandbox):
    browser = sign_up()
    send(browser, "/email", "/")
    deliver(app)
    link = link_in(sandbox)
    for _ in range(2):
        with app.app_context():
            email_confirmation.confirm(link.rpartition("/")[2])
            db.session.commit()
    kinds = [one.kind for one in db.session.query(AuditEvent).order_by(AuditEvent.id)]
    assert kinds == ["signed_up", "confirmation_asked", "email_confirmed"]
