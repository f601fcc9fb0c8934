"""No secret comes out of a log, however it got into the text."""

import base64
import html
import io
import json
import logging
from urllib.parse import quote, quote_plus

import pytest
import structlog

from app import config
from app.observability import logs, redact
from app.platforms.base import Token
from tests.conftest import DEMO_BOT

SIGNED = "WzEsMl0.aSBhbSBhIHNpZ25hdHVyZQ.c2lnbmF0dXJl"


@pytest.fixture
def written():
    """This process' log, as the application writes it."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    logs.configure()
    stream = io.StringIO()
    root.handlers[0].setStream(stream)
    yield stream.getvalue
    root.handlers, root.level = before, level


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"POST https://api.telegram.org/bot{DEMO_BOT}/sendVideo", DEMO_BOT),
        (f"bot {DEMO_BOT} failed", DEMO_BOT),
        ("token vk1.a.AbCdEf-123_x.y refused", "AbCdEf"),
        ("GET /callback?code=c0de-c0de&state=st4te&device_id=dev1ce HTTP/1.1", "c0de-c0de"),
        ("GET /callback?code=c0de-c0de&state=st4te&device_id=dev1ce HTTP/1.1", "st4te"),
        ("code_verifier=v3rifier&grant_type=authorization_code", "v3rifier"),
        ("POST /token access_token=t0ken", "t0ken"),
        ('{"access_token": "t0ken", "x": 1}', "t0ken"),
        ("{'refresh_token': 'r3fresh'}", "r3fresh"),
        ("Authorization: OAuth y0_t0ken", "y0_t0ken"),
        ("Cookie: vezde_session=s3ssion; a=b", "s3ssion"),
        (f"GET /fetch/{SIGNED}.mp4 200", SIGNED),
        (f"GET /recovery/{SIGNED} 200", SIGNED),
        (f"POST /email/{SIGNED} 303", SIGNED),
        ("cannot reach redis://:p4ssword@host:6379/0", "p4ssword"),
        ("smtps://user:p4ssword@mail.example.org", "p4ssword"),
    ],
)
def test_by_its_form(written, text, secret):
    logging.getLogger("some.library").warning(text)
    structlog.get_logger("ours").warning("it failed", text=text, nested={"deep": [text]})
    try:
        raise RuntimeError(text)
    except RuntimeError:
        structlog.get_logger("ours").exception("it failed")
    assert secret not in written()
    assert written().count(redact.HIDDEN) >= 4
    assert all(json.loads(line) for line in written().splitlines())


def test_every_token_that_was_made_is_known(written):
    token = Token("plain-as-a-word", "its-refresh-token", extra={"device_id": "the-device-id"})
    logging.getLogger("some.library").error("%s %s %s %r", token.access, token.refresh, dict(token.extra), token)
    for secret in ("plain-as-a-word", "its-refresh-token", "the-device-id"):
        assert secret not in written()


def test_every_secret_setting_is_known(written, environment):
    from app import platforms

    config.load({**environment, "YANDEX_CLIENT_SECRET": "plain-as-another-word"}, platforms.settings())
    logging.getLogger("some.library").error("%s %s", environment["SECRET_KEY"], "plain-as-another-word")
    assert environment["SECRET_KEY"] not in written()
    assert "plain-as-another-word" not in written()


def test_a_traceback_shows_no_values(written):
    hidden_value = "a-value-in-a-variable"
    try:
        raise RuntimeError(len(hidden_value))
    except RuntimeError:
        structlog.get_logger("ours").exception("it failed")
    assert "RuntimeError" in written()
    assert hidden_value not in written().replace('hidden_value = "a-value-in-a-variable"', "")


def test_ordinary_words_stay(written):
    text = "token expired: code 5, state of the art, publication 17 at 12:30:45, https://vk.com/clip1_2?x=1"
    logging.getLogger("some.library").warning(text)
    assert text in written()


def test_an_error_of_the_database_does_not_quote_the_row(app, user):
    from sqlalchemy.exc import IntegrityError

    from app.db import db
    from app.models import User

    user(email="anna@example.org")
    db.session.add(User(email="anna@example.org", password_hash="h4sh-h4sh", session_key="k3y", name="x"))
    with pytest.raises(IntegrityError) as error:
        db.session.commit()
    db.session.rollback()
    assert "h4sh-h4sh" not in str(error.value)
    assert "anna@example.org" not in str(error.value)


def test_a_token_is_known_only_while_it_exists():
    token = Token("word-by-word-by-word", extra={"device_id": "the-device-id"})
    assert redact.text("word-by-word-by-word the-device-id") == f"{redact.HIDDEN} {redact.HIDDEN}"
    del token
    assert redact.text("word-by-word-by-word the-device-id") == "word-by-word-by-word the-device-id"
    assert not [owner for owner in redact._owners.values() if owner() is None]


def test_blocks_may_be_nested():
    with redact.hidden("word-by-word", None):
        with redact.hidden("word-by-word"):
            pass
        assert redact.text("word-by-word") == redact.HIDDEN
    assert redact.text("word-by-word") == "word-by-word"
    assert not redact._in_use


ODD = 'y0_a+b/c="д<&>\\ and some more of it'


@pytest.mark.parametrize(
    "spelled",
    [
        ODD,
        quote(ODD, safe=""),
        quote(ODD, safe="").lower(),
        quote_plus(ODD),
        json.dumps(ODD)[1:-1],
        html.escape(ODD),
        base64.b64encode(ODD.encode()).decode(),
        base64.b64encode(b"client:" + ODD.encode()).decode(),
        base64.urlsafe_b64encode(b"id:" + ODD.encode()).decode(),
        ODD[:20],
        ODD[-20:],
    ],
)
def test_however_a_secret_is_spelled(spelled):
    with redact.hidden(ODD):
        assert spelled not in redact.text(f"it was «{spelled}», wrong")
    assert spelled in redact.text(f"it was «{spelled}», wrong")
