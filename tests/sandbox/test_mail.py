"""The sandbox's mailbox, asked with the standard library's client."""

import smtplib
from email.message import EmailMessage

import pytest
import requests


@pytest.fixture
def post(sandbox):
    def send(subject: str = "Привет", text: str = "Как дела?\n", to: str = "anna@example.org") -> None:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = "Везде <no-reply@example.org>", to, subject
        letter.set_content(text)
        with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=10) as server:
            server.send_message(letter)

    return send


def test_letters_are_kept_and_shown(sandbox, post):
    assert "Писем не было" in requests.get(sandbox.url, timeout=10).text
    post(text="Откройте https://example.org/x\n<b>\n")
    [letter] = sandbox.mails
    assert (letter["to"], letter["subject"]) == (["anna@example.org"], "Привет")
    page = requests.get(sandbox.url, timeout=10).text
    assert 'href="https://example.org/x"' in page
    assert "&lt;b&gt;" in page


def test_they_survive_a_restart_and_go_with_a_reset(sandbox, post):
    post()
    sandbox.kill()
    sandbox.restart()
    assert len(sandbox.mails) == 1
    post()
    assert len(sandbox.mails) == 2
    sandbox.reset()
    assert sandbox.mails == []


def test_troubles_strike_letters_too(sandbox, post):
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
