"""EXTRA_CA_FILE over real TLS: its authorities are believed besides the usual ones, and nothing else is."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from app import config, platforms
from app.outgoing import trust
from app.platforms.code_exchange import _Session
from app.platforms.errors import Untrusted
from app.platforms.http import download
from app.platforms.http.client import Http
from app.storage.s3_session import BoundedSession
from app.webhooks import sending
from tests.certificates import write_authority, write_certificate


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET

    def log_message(self, *_arguments) -> None:
        """Silent."""


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address) -> None:
        """A client that does not trust it ends the handshake."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Over TLS, with the folder's certificate."""
    server = _Server(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    write_authority(tmp_path, "Our Root")
    yield tmp_path
    trust.trust_also("")


@pytest.fixture
def origin(folder: Path) -> Iterator[str]:
    with serving(folder) as address:
        yield address


def trust_file(path: Path) -> None:
    trust.trust_also("\n".join(config.certificates_in(config.certificates_file(str(path)))))


def client(origin: str) -> Http:
    made = Http()
    made.allow([origin])
    return made


def test_what_is_not_trusted_has_a_reason_of_its_own(origin):
    with pytest.raises(Untrusted) as error:
        client(origin).request("GET", origin)
    assert (error.value.reason, error.value.definitely_not_applied) == ("untrusted_certificate", True)
    assert "127.0.0.1" not in str(error.value)


def test_every_way_out_trusts_the_file(origin, folder):
    trust_file(folder / "Our Root.pem")
    assert client(origin).request("GET", origin).status == 200
    with _Session() as session:
        assert session.request("GET", origin, withhold_token=True).status_code == 200
    with download.download(origin, [origin]) as incoming:
        assert b"".join(incoming.blocks()) == b"{}"
    assert sending.send(sending.Message(origin, {}, b""), [origin]).status == 200


def test_the_usual_authorities_stay(folder, origin):
    """With the file besides them, a bundle of usual ones is still what decides of the others."""
    other = folder / "other"
    other.mkdir()
    write_certificate(other)
    trust_file(folder / "Our Root.pem")
    with serving(other) as elsewhere:
        http = client(elsewhere)
        with pytest.raises(Untrusted):
            http.request("GET", elsewhere)
        http._session.verify = str(other / "certificate.pem")
        assert http.request("GET", elsewhere).status == 200
    assert len(trust.client_context().get_ca_certs()) > 100


def test_another_name_is_never_accepted(origin, folder):
    trust_file(folder / "Our Root.pem")
    elsewhere = origin.replace("127.0.0.1", "localhost")
    with pytest.raises(Untrusted):
        client(elsewhere).request("GET", elsewhere)


def test_an_authority_whose_time_is_over(tmp_path):
    write_authority(tmp_path, "Old Root", days=-1)
    trust_file(tmp_path / "Old Root.pem")
    try:
        with serving(tmp_path) as origin, pytest.raises(Untrusted):
            client(origin).request("GET", origin)
    finally:
        trust.trust_also("")


def test_without_a_file_nothing_is_changed():
    assert trust.pool_options() == {}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "такого файла нет"),
        (b"", "нет сертификатов"),
        (b"\x30\x82\x05\xc2", "нет сертификатов"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "испорчен"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_at_the_start(tmp_path, content, says):
    file = tmp_path / "roots.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(config.BadSettings) as error:
        config.load({"EXTRA_CA_FILE": str(file)}, platforms.settings())
    [line] = [line for line in str(error.value).splitlines() if "EXTRA_CA_FILE" in line]
    assert says in line


def test_a_bundle_with_remarks_in_it(folder, origin):
    """As it is put together by hand: names in Russian between the certificates, ends of lines of another system."""
    root = (folder / "Our Root.pem").read_bytes()
    bundle = folder / "bundle.pem"
    bundle.write_bytes("# Корень Минцифры\r\n".encode() + root.replace(b"\n", b"\r\n") + b"\r\n# \xff\r\n" + root)
    assert len(config.certificates_in(str(bundle))) == 2
    trust_file(bundle)
    assert client(origin).request("GET", origin).status == 200


def test_requests_by_itself_would_not_trust_it(origin, folder):
    """The file is ours alone: it is not put into the machine's own sets."""
    trust_file(folder / "Our Root.pem")
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(origin, timeout=10)


def test_mail_and_a_bucket_trust_it_too(folder):
    trust_file(folder / "Our Root.pem")
    for context in (trust.default_context(), BoundedSession(1)._get_ssl_context()):
        names = [dict(part[0] for part in one["subject"]) for one in context.get_ca_certs()]
        assert {"commonName": "Our Root"} in names
        assert context.verify_mode == ssl.CERT_REQUIRED
