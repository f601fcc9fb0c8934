"""The SMTP server, with the client of the standard library."""

import smtplib
from email.message import EmailMessage

import pytest
import requests


@pytest.fixture
def post(sandbox):
    def send(subject: str = "Привет", text: str = "Как дела?\n", to: str = "anna@example.org") -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "Везде <no-reply@example.org>", to, subject
        message.set_content(text)
        with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=10) as server:
            server.send_message(message)

    return send


def test_messages_are_stored_and_shown(sandbox, post):
    assert "Писем не было" in requests.get(sandbox.url, timeout=10).text
    post(text="Откройте https://example.org/x\n<b>\n")
    [message] = sandbox.mails
    assert (message["to"], message["subject"]) == (["anna@example.org"], "Привет")
    page = requests.get(sandbox.url, timeout=10).text
    assert 'href="https://example.org/x"' in page
    assert "&lt;b&gt;" in page


def test_messages_survive_a_restart_and_a_reset_deletes_them(sandbox, post):
    post()
    sandbox.kill()
    sandbox.restart()
    assert len(sandbox.mails) == 1
    post()
    assert len(sandbox.mails) == 2
    sandbox.reset()
    assert sandbox.mails == []


def test_faults_apply_to_messages(sandbox, post):
    sandbox.trouble({"match": "MAIL anna@", "do": "status:451", "times": 1})
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        post()
    assert refusal.value.smtp_code == 451
    sandbox.trouble({"match": "MAIL anna@", "do": "lose_answer", "times": 1})
    with pytest.raises(smtplib.SMTPServerDisconnected):
        post()
    assert len(sandbox.mails) == 1
    sandbox.trouble({"match": "MAIL anna@", "do": "hang:0.1", "times": 1})
    with pytest.raises(smtplib.SMTPServerDisconnected):
        post()
    assert len(sandbox.mails) == 1
