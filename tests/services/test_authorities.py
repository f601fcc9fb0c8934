"""EXTRA_CA_FILE as `flask doctor` sees it, and what a user sees where a root is missing."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app import clock
from app.outgoing import trust
from app.platforms.max.adapter import Max
from app.problems import Problem
from app.services import authorities, doctor
from tests import connecting
from tests.certificates import write_authority

VENDOR = next(one.default for one in Max.settings if one.name == "MAX_API_URL")
FIELDS = {"bot_token": "vezde-max-demo-bot", "channel": "@vezde_demo"}


@pytest.fixture
def at_the_vendor(app):
    app.config["MAX_API_URL"] = VENDOR


def findings() -> dict[bool | None, str]:
    found = [*authorities.examine()]
    return {good: "\n".join(one.text for one in found if one.good is good) for good in (True, False, None)}


def test_nothing_is_said_where_no_platform_needs_it(app, sandbox):
    assert not any(findings().values())


def test_a_missing_root_matters_once_the_platform_is_used(app, user, sandbox):
    app.config["MAX_API_URL"] = VENDOR
    assert "MAX: без корневого сертификата «Russian Trusted Root CA»" in findings()[None]
    app.config["MAX_API_URL"] = f"{sandbox.url}/max"
    connecting.connect(user(), "max", FIELDS)
    app.config["MAX_API_URL"] = VENDOR
    said = findings()
    assert "EXTRA_CA_FILE" in said[False] and not said[None]


@pytest.mark.parametrize(("days", "good"), [(1, True), (-1, False)])
def test_the_root_and_until_when(app, at_the_vendor, tmp_path, days, good):
    write_authority(tmp_path, "Russian Trusted Root CA", days)
    app.config["EXTRA_CA_FILE"] = str(tmp_path / "Russian Trusted Root CA.pem")
    said = findings()
    assert "Russian Trusted Root CA" in said[good]
    assert bool(said[None]) is not good, "a root whose time is over does not count"
    assert ("срок" in said[good]) is not good


def test_another_root_is_not_the_one(app, at_the_vendor, tmp_path):
    write_authority(tmp_path, "Our Root")
    app.config["EXTRA_CA_FILE"] = str(tmp_path / "Our Root.pem")
    said = findings()
    assert "Our Root" in said[True] and "Russian Trusted Root CA" in said[None]


def test_a_file_that_went_away(app, at_the_vendor, tmp_path):
    app.config["EXTRA_CA_FILE"] = str(tmp_path / "gone.pem")
    assert "не прочесть" in findings()[False]


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_arguments) -> None:
        """Silent."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address) -> None:
        """A client that does not trust it ends the handshake."""


@pytest.fixture
def secured(app, tmp_path):
    """MAX's host has a certificate of an authority that nobody knows."""
    write_authority(tmp_path, "Unknown Root")
    server = _Server(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    app.config["MAX_API_URL"] = f"https://127.0.0.1:{server.server_port}"
    yield tmp_path / "Unknown Root.pem"
    server.shutdown()
    server.server_close()
    trust.trust_also("")


def test_whoever_connects_is_told_at_once(app, user, sandbox, secured):
    owner = user()
    began = clock.now()
    with pytest.raises(Problem, match="untrusted_certificate") as problem:
        connecting.connect(owner, "max", FIELDS)
    assert "сертификат не удалось проверить" in problem.value.text
    assert "Напишите в поддержку" in problem.value.text
    assert (clock.now() - began).total_seconds() < 5, "asking again is of no use"


def test_the_operator_is_told_which_host(app, user, sandbox, secured):
    """It is wrong only where the platform is used: an installation without MAX needs no root."""
    address = app.config["MAX_API_URL"]

    def said(good: bool | None) -> str:
        return "\n".join(one.text for one in doctor.examine() if one.good is good)

    assert "Сертификат не удалось проверить: MAX_API_URL" in said(None)
    assert "MAX_API_URL" not in said(False)
    app.config["MAX_API_URL"] = f"{sandbox.url}/max"
    connecting.connect(user(), "max", FIELDS)
    app.config["MAX_API_URL"] = address
    assert "Сертификат не удалось проверить: MAX_API_URL" in said(False)
    trust.trust_also(secured.read_text())
    assert "MAX_API_URL" not in said(False)
