"""A second factor that is added or removed, and a recovery code that is used, are told of by bell and mail."""

import pytest

from app.db import db
from app.models import User
from app.notifications import email
from app.services import audit_log, second_factor
from tests import codes
from tests.notifications.reading import notifications
from tests.publishing.conftest import at_work


@pytest.fixture
def anna(user):
    return user(email="anna@example.org")


def letters(sandbox) -> list[tuple[str, str]]:
    """Subject and text of those that are due now."""
    notifications()
    before = len(sandbox.mails)
    for notification_id in at_work(email.due):
        at_work(email.send, notification_id)
    return [(letter["subject"], letter["text"]) for letter in sandbox.mails[before:]]


def test_each_is_mailed_with_time_and_address(app, anna, sandbox):
    audit_log.client_ip.set("192.0.2.7")
    _, [code, *_] = codes.set_up(anna)
    db.session.commit()
    [(subject, text)] = letters(sandbox)
    assert subject == "Вход с кодом включён"
    for words in ("192.0.2.7", "Если это не вы", f"{app.config['PUBLIC_URL']}/settings/security"):
        assert words in text
    anna = db.session.query(User).one()
    assert second_factor.is_right(anna, code)
    second_factor.remove(anna)
    db.session.commit()
    audit_log.client_ip.set(None)
    found = letters(sandbox)
    assert [subject for subject, _ in found] == ["Использован код восстановления", "Вход с кодом выключен"]
    assert code not in str(found)


def test_codes_of_the_application_and_wrong_ones_are_no_news(anna):
    key, _ = codes.set_up(anna)
    db.session.commit()
    [added] = notifications()
    anna = db.session.query(User).one()
    assert second_factor.is_right(anna, codes.at(key))
    assert not second_factor.is_right(anna, "wrong")
    db.session.commit()
    assert [one.id for one in notifications()] == [added.id]


def test_an_operators_removal_names_no_address(command, anna, sandbox, sign_in):
    codes.set_up(anna)
    db.session.commit()
    letters(sandbox)
    command("users", "no-second-factor", "anna@example.org")
    [(subject, text)] = letters(sandbox)
    assert (subject, "администратор сервиса" in text) == ("Вход с кодом выключен", True)
    page = sign_in(db.session.query(User).one()).get("/notices").text
    assert "Вход с кодом выключен" in page and "администратор сервиса" in page and "/settings/security" in page


def test_an_unconfirmed_email_gets_none(anna, sandbox):
    anna.email_confirmed_at = None
    codes.set_up(anna)
    db.session.commit()
    assert letters(sandbox) == []
    assert [one.kind for one in notifications()] == ["second_factor_added"]
