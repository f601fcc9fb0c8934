"""A forgotten password, from the question to the sign-in with a new one."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from app import clock, jobs
from app.db import commit, db, transaction
from app.models import AuditEvent, Recovery
from app.queue import queue
from app.queue.table import CHORES
from app.redis_client import redis_client
from app.services import recovery, users
from tests.letters import deliver, link_in
from tests.publishing.conftest import at_work, wait_until

NEW = "novyy-parol"


@pytest.fixture
def anna(user):
    return user(email="anna@example.org")


@pytest.fixture
def ask(app):
    """Requests a letter; the worker's part is done too."""
    browser = app.test_client()

    def send(email: str):
        page = browser.get("/recovery").text
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
        answer = browser.post("/recovery", data={"csrf_token": token, "email": email})
        deliver(app)
        return answer

    return send


def set_password(app, link: str, password: str = NEW):
    browser = app.test_client()
    page = browser.get(link)
    if page.status_code != 200:
        return page
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]
    return browser.post(link, data={"csrf_token": token, "new": password})


def test_a_letter_leads_to_a_new_password(app, anna, ask, sandbox, sign_in):
    elsewhere = sign_in(anna)
    assert "письмо со ссылкой уже в пути" in ask(" Anna@example.org ").text
    [letter] = sandbox.mails
    assert letter["to"] == ["anna@example.org"]
    link = link_in(sandbox)
    assert set_password(app, link, "short").status_code == 422
    assert set_password(app, link).location == "/sign-in"
    assert users.authenticate("anna@example.org", NEW, "192.0.2.1").id == anna.id
    assert elsewhere.get("/").status_code == 303, "every browser is signed out"
    assert set_password(app, link, "another-one").status_code == 404, "it works once"


def test_known_and_unknown_emails_look_alike(app, anna, ask, sandbox):
    known, unknown = ask("anna@example.org"), ask("unknown@example.org")
    assert known.status_code == unknown.status_code == 200
    assert known.text == unknown.text
    assert [letter["to"] for letter in sandbox.mails] == [["anna@example.org"]]
    kinds = [(one.user_id, one.kind) for one in db.session.query(AuditEvent) if one.kind == "recovery_asked"]
    assert kinds == [(anna.id, "recovery_asked"), (None, "recovery_asked")], "both are as much work"


def test_a_link_ends_with_its_hour(app, anna, ask, sandbox):
    ask("anna@example.org")
    link = link_in(sandbox)
    assert app.test_client().get(link).status_code == 200
    app.config["SECRET_KEY"] = "another" * 8
    assert app.test_client().get(link).status_code == 404


def test_a_link_ends_with_a_password_that_was_changed_otherwise(app, anna, ask, sandbox):
    ask("anna@example.org")
    users.reset_password("anna@example.org", "drugoy-parol")
    db.session.commit()
    assert app.test_client().get(link_in(sandbox)).status_code == 404


@pytest.mark.parametrize("link", ["x", "WzEsInh4Il0.aaaa.bbbb", "%00", "a" * 3000, "..%2f.."])
def test_a_made_up_link(client, link):
    assert client.get(f"/recovery/{link}").status_code in (400, 404)


def test_requests_are_limited_alike_for_any_email(app, anna, ask, sandbox):
    for email in ("anna@example.org", "unknown@example.org"):
        answers = [ask(email) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 422]
        assert "Слишком много попыток" in answers[-1].text
    assert len(sandbox.mails) == 3


def test_the_link_is_kept_nowhere(app, anna, ask, sandbox, capfd):
    ask("anna@example.org")
    signed = link_in(sandbox).rpartition("/")[2].encode()
    for key in redis_client().keys("*"):
        assert signed not in (redis_client().dump(key) or b"")
    assert signed not in Path(app.config["DATABASE_URL"].removeprefix("sqlite:///")).read_bytes()
    assert signed.decode() not in "".join(capfd.readouterr())


def test_where_there_is_no_mail_server(app, anna, ask):
    app.config["SMTP_URL"] = ""
    answer = ask("anna@example.org")
    assert answer.status_code == 422
    assert "не настроена почта" in answer.text


def test_a_mail_server_that_is_away(app, anna, ask, caplog):
    app.config["SMTP_URL"] = "smtp://user:very-secret@127.0.0.1:9"
    assert ask("anna@example.org").status_code == 200
    assert "a letter with a link was not sent" in caplog.text
    assert "very-secret" not in caplog.text


def test_old_lines_are_swept(app, anna):
    from app.services import audit_log

    audit_log.record(None, "sign_in_failed")
    db.session.commit()
    wait_until(clock.now() + timedelta(days=31))
    assert audit_log.sweep() == 1
    wait_until(clock.now() + timedelta(days=150))
    assert audit_log.sweep() == db.session.query(AuditEvent).count() + 2


def send_due() -> None:
    for recovery_id in at_work(recovery.due_mails):
        at_work(jobs.mail_recovery, recovery_id)


def test_a_letter_is_tried_again_until_its_hour_is_over(app, anna, ask, sandbox):
    began = clock.now()
    sandbox.trouble({"match": "MAIL", "do": "status:451", "times": 3})
    ask("anna@example.org")
    assert sandbox.mails == []
    while not sandbox.mails:
        assert clock.now() - began < timedelta(minutes=15)
        wait_until(clock.now() + timedelta(seconds=30))
        send_due()
    assert set_password(app, link_in(sandbox)).location == "/sign-in"
    assert db.session.query(Recovery).count() == 0


def test_a_letter_that_is_never_taken_is_given_up(app, anna, ask, sandbox):
    sandbox.trouble({"match": "MAIL", "do": "status:451"})
    ask("anna@example.org")
    for _ in range(150):
        wait_until(clock.now() + timedelta(seconds=30))
        send_due()
    db.session.rollback()
    assert db.session.query(Recovery).count() == 0
    assert sandbox.mails == []


@pytest.mark.parametrize(("trouble", "letters"), [("status:550", 0), ("lose_answer", 1)])
def test_a_letter_is_not_sent_again_where_that_is_no_use(app, anna, ask, sandbox, trouble, letters):
    sandbox.trouble({"match": "MAIL", "do": trouble, "times": 1})
    ask("anna@example.org")
    wait_until(clock.now() + timedelta(minutes=10))
    send_due()
    assert len(sandbox.mails) == letters
    assert db.session.query(Recovery).count() == 0


def test_a_worker_that_died_before_the_letter_went_over_is_followed(app, anna, sandbox):
    recovery.ask("anna@example.org", "192.0.2.1")
    commit()
    [recovery_id] = at_work(recovery.due_mails)
    with app.app_context(), transaction():
        assert recovery.claim_letter(recovery_id)
    assert at_work(recovery.due_mails) == []
    wait_until(clock.now() + timedelta(minutes=3))
    send_due()
    assert len(sandbox.mails) == 1


def test_without_redis_the_tick_sends_it(app, anna, sandbox):
    recovery.ask("anna@example.org", "192.0.2.1")
    commit()
    queue(CHORES).empty()
    at_work(jobs.wake_recovery_mails)
    assert [job.func_name for job in queue(CHORES).get_jobs()] == ["app.jobs.mail_recovery"]
