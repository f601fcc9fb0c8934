"""Letters as a mail server gets them, and what its refusals mean."""

import pytest

from app import config, mail
from app.platforms import settings

TO = "anna@example.org"


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
