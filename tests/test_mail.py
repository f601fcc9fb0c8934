"""Letters as a mail server gets them, and what its refusals mean."""

import time

import pytest

from app import config, mail
from app.platforms import settings
from tests.dripping import dripping_mail_server

TO = "anna@example.org"
# So long that all before the part in question is done in time on a machine that is busy.
DEADLINE = 1.5


def test_a_letter_arrives_whole(app, sandbox):
    mail.send(
        TO, "Не опубликовано: «Закат»", "Здравствуйте, Анна!\n\nhttps://example.org/" + "я" * 200, key="notification-7"
    )
    [letter] = sandbox.mails
    assert letter["to"] == [TO]
    assert letter["subject"] == "Не опубликовано: «Закат»"
    assert letter["text"].rstrip("\n") == "Здравствуйте, Анна!\n\nhttps://example.org/" + "я" * 200
    assert letter["sender"] == "Везде <no-reply@127.0.0.1>"
    assert letter["message_id"] == "<notification-7@127.0.0.1>"


def test_the_sender_can_be_named(app, sandbox):
    app.config["MAIL_FROM"] = "Студия <studio@example.org>"
    mail.send(TO, "Тема", "Текст")
    assert sandbox.mails[0]["sender"] == "Студия <studio@example.org>"


def test_a_subject_cannot_smuggle_a_header(app, sandbox):
    with pytest.raises(ValueError):
        mail.send(TO, "Тема\r\nBcc: other@example.org", "Текст")
    assert sandbox.mails == []


@pytest.mark.parametrize(
    ("trouble", "final", "unknown", "arrived"),
    [("status:451", False, False, 0), ("status:554", True, False, 0), ("lose_answer", False, True, 1)],
)
def test_what_a_refusal_means(app, sandbox, trouble, final, unknown, arrived):
    sandbox.trouble({"match": "MAIL anna", "do": trouble})
    with pytest.raises(mail.NotSent) as failure:
        mail.send(TO, "Тема", "Текст")
    assert (failure.value.final, failure.value.unknown) == (final, unknown)
    assert len(sandbox.mails) == arrived


def test_a_server_that_is_away_has_no_letter(app):
    app.config["SMTP_URL"] = "smtp://user:s3cret@127.0.0.1:9"
    with pytest.raises(mail.NotSent) as failure:
        mail.send(TO, "Тема", "Текст")
    assert (failure.value.final, failure.value.unknown) == (False, False)
    assert "s3cret" not in str(failure.value)


def test_what_stops_it_at_the_last_moment_stops_it(app, sandbox):
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        mail.send(TO, "Тема", "Текст", before_send=stop)
    assert sandbox.mails == []


@pytest.mark.parametrize(
    ("scheme", "at", "head", "dripping", "unknown"),
    [
        ("smtp", "GREETING", b"2", b"2", False),
        ("smtp", "EHLO", b"", b"250-SIZE\r\n", False),
        ("smtp+starttls", "STARTTLS", b"220 go ahead\r\n", b"\x16\x03\x03\x40\x00", False),
        ("smtps", "GREETING", b"\x16\x03\x03\x40\x00", b"\0", False),
        ("smtp", "RCPT", b"", b"2", False),
        ("smtp", ".", b"", b"2", True),
    ],
)
def test_a_server_that_drips_is_given_up_at_the_deadline(app, scheme, at, head, dripping, unknown):
    """A time-out of the socket begins anew with each byte."""
    with dripping_mail_server(at, head, dripping) as server:
        app.config["SMTP_URL"] = f"{scheme}://{server.address}"
        with pytest.raises(mail.NotSent, match="TimeoutError") as failure:
            mail.send(TO, "Тема", "Текст", seconds=DEADLINE)
    assert (failure.value.final, failure.value.unknown) == (False, unknown)


def test_a_goodbye_that_drips_changes_nothing(app):
    with dripping_mail_server("QUIT", b"", b"2") as server:
        app.config["SMTP_URL"] = f"smtp://{server.address}"
        mail.send(TO, "Тема", "Текст", seconds=DEADLINE)
    assert server.heard[-2:] == [".", "QUIT"]


def test_what_took_too_long_before_the_letter_was_handed_over_has_not_sent_it(app):
    with dripping_mail_server("", b"", b"") as server:
        app.config["SMTP_URL"] = f"smtp://{server.address}"
        with pytest.raises(mail.NotSent, match="TimeoutError") as failure:
            mail.send(TO, "Тема", "Текст", before_send=lambda: time.sleep(2 * DEADLINE), seconds=DEADLINE)
    assert not failure.value.unknown
    assert "DATA" not in server.heard


@pytest.mark.parametrize(("at", "unknown"), [("GREETING", False), ("MAIL", False), (".", True)])
@pytest.mark.parametrize("flood", [b"2" * 10_000, b"250-more\r\n" * 1000])
def test_a_server_that_says_too_much_is_not_read_to_the_end(app, at, flood, unknown):
    """And it is no refusal of this letter."""
    with dripping_mail_server(at, b"", flood, pause=0) as server:
        app.config["SMTP_URL"] = f"smtp://{server.address}"
        with pytest.raises(mail.NotSent, match="Disconnected") as failure:
            mail.send(TO, "Тема", "Текст")
    assert (failure.value.final, failure.value.unknown) == (False, unknown)


@pytest.mark.parametrize("given", ["", "smtp://localhost", "smtps://u:p%40@mail.example.org", "smtp+starttls://h:587"])
def test_addresses_of_mail_servers(given):
    assert config.mail_server(given) == given


@pytest.mark.parametrize(
    "given", ["localhost:25", "https://mail.example.org", "smtp://", "smtp://h:port", "smtp://h:0"]
)
def test_a_bad_address_is_refused_without_its_password(given):
    with pytest.raises(config.BadSettings) as error:
        config.load({"SMTP_URL": given, "MAIL_FROM": "никто"}, settings())
    assert "SMTP_URL: нужен адрес вида" in str(error.value)
    assert "MAIL_FROM: нужно" in str(error.value)
