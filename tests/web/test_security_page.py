"""«Безопасность» and sessions."""

import re

import pytest

from app.services import audit_log, connection_list, sessions, users
from tests.conftest import DEMO_BOT
from tests.connecting import settled

PASSWORD = "parol-parol"


def enter(client, email: str, password: str = PASSWORD):
    page = client.get("/sign-in").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    return client.post("/sign-in", data={"csrf_token": token, "email": email, "password": password})


def kinds(user) -> list[str]:
    return [event.kind for event in audit_log.latest(user)]


def test_important_events_are_recorded(app, user, sign_in, sandbox):
    anna = user(email="anna@example.org", plan="free")
    enter(app.test_client(), "anna@example.org", "wrong-wrong")
    enter(app.test_client(), "anna@example.org")
    users.set_plan("anna@example.org", "pro")
    browser = sign_in(anna)
    typed = {"bot_token": DEMO_BOT, "channel": "@vezde_demo"}
    settled(browser, browser.post("/settings/integrations/telegram/connect", data=typed))
    [connection] = connection_list.all_of(anna)
    browser.post(f"/settings/integrations/{connection.id}/disconnect")
    browser.post("/settings/data")
    browser.post("/settings/password", data={"present": PASSWORD, "new": "new-new-new"})
    assert kinds(anna)[:7] == [
        "password_changed",
        "data_downloaded",
        "disconnected",
        "connected",
        "plan_changed",
        "signed_in",
        "sign_in_failed",
    ]
    page = browser.get("/settings/security").text
    for words in ("Неудачная попытка входа", "127.0.0.1", "администратор сервиса", "Telegram: Везде — демо", "Pro"):
        assert words in page
    assert DEMO_BOT not in page


def test_another_users_lines_are_not_shown(user, sign_in):
    boris, anna = user(email="boris@example.org"), user(email="anna@example.org")
    audit_log.record(boris.id, "connected", "VK: Борис Борисов")
    assert "Борис Борисов" not in sign_in(anna).get("/settings/security").text
    assert "Борис Борисов" in sign_in(boris).get("/settings/security").text


def test_what_a_proxy_hands_on_fits_its_column(app, user):
    anna = user()
    audit_log.client_ip.set("x" * 500)
    audit_log.record(anna.id, "connected", "y" * 500)
    audit_log.client_ip.set(None)
    event = audit_log.latest(anna)[0]
    assert (len(event.address), len(event.detail)) == (audit_log.MAX_ADDRESS, audit_log.MAX_DETAIL)


def test_all_other_sessions_are_ended(app, user, sign_in):
    anna = user(email="anna@example.org")
    here, elsewhere = sign_in(anna), app.test_client()
    enter(elsewhere, "anna@example.org")
    assert elsewhere.get("/").status_code == 200
    assert here.post("/settings/security/sessions/end-others").location == "/settings/security"
    assert "Остальные сеансы завершены" in here.get("/settings/security").text
    assert elsewhere.get("/").status_code == 303
    assert "Завершить" not in here.get("/settings/security").text, "there is no other"


def test_a_session_from_before_the_sign_in_is_worth_nothing(app, user):
    """Fixation: an attacker plants a session and waits for a user to sign in with it."""
    user(email="anna@example.org")
    name = app.config["SESSION_COOKIE_NAME"]
    attacker = app.test_client()
    attacker.get("/sign-in")
    with attacker.session_transaction() as session:
        session["planted"] = "x"
    planted = attacker.get_cookie(name).value
    victim = app.test_client()
    victim.set_cookie(name, planted)
    assert enter(victim, "anna@example.org").status_code == 303
    with victim.session_transaction() as session:
        assert "planted" not in session
        token = session.get("csrf_token")
    with attacker.session_transaction() as session:
        assert session["csrf_token"] != token
    assert victim.get_cookie(name).value != planted
    assert victim.get("/").status_code == 200
    assert attacker.get("/").status_code == 303


def test_a_forged_cookie_is_not_a_session(app, user):
    from flask import Flask

    anna = user()
    token = sessions.begin(anna, "", "", "").token
    forger = Flask("forger")
    forger.config["SECRET_KEY"] = "guessed" * 8
    forged = forger.session_interface.get_signing_serializer(forger).dumps({"_user_id": anna.get_id(), "token": token})
    client = app.test_client()
    client.set_cookie(app.config["SESSION_COOKIE_NAME"], forged)
    assert client.get("/").status_code == 303


@pytest.mark.parametrize(("proxies", "seen"), [("0", "127.0.0.1"), ("1", "203.0.113.7"), ("2", "198.51.100.2")])
def test_the_address_behind_proxies(environment, proxies, seen):
    """As many of the header's last entries as there are proxies of ours are believed, and no more."""
    from app import create_app
    from app.db import db

    app = create_app({**environment, "TRUSTED_PROXIES": proxies})
    with app.app_context():
        anna = users.sign_up(email="anna@example.org", password=PASSWORD, name="Анна", timezone="Europe/Moscow")
        db.session.commit()
        client = app.test_client()
        client.environ_base["HTTP_X_FORWARDED_FOR"] = "10.9.9.9, 198.51.100.2, 203.0.113.7"
        enter(client, "anna@example.org", "wrong-wrong")
        assert [event.address for event in audit_log.latest(anna)] == [seen, None]
        db.session.remove()
        db.engine.dispose()


def test_the_same_time_and_the_same_lines_for_an_unknown_e_mail(app, user):
    from app.db import db
    from app.models import AuditEvent

    user(email="anna@example.org")
    answers = [enter(app.test_client(), email, "wrong-wrong").text for email in ("anna@example.org", "b@example.org")]
    plain = [re.sub(r'value="[^"]*"', "", answer) for answer in answers]
    assert plain[0] == plain[1]
    failed = db.session.query(AuditEvent).filter_by(kind="sign_in_failed").all()
    assert [event.user_id is None for event in failed] == [False, True]
