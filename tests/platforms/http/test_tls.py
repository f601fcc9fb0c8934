"""The same over TLS, as every real platform has it."""

import http.server
import io
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.platforms.errors import Unavailable
from app.platforms.http.body import FileBody
from app.platforms.http.client import Http
from tests.certificates import write_certificate


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        size = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        body = f"{size} {self.client_address[1]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Drips."""
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        with suppress(OSError):
            while True:
                self.wfile.write(b"x")
                time.sleep(0.02)

    def log_message(self, *_arguments) -> None:
        """Silent."""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    write_certificate(tmp_path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(origin: str, tmp_path: Path) -> Http:
    client = Http()
    client.allow([origin])
    client._session.verify = str(tmp_path / "certificate.pem")
    return client


def test_calls_and_files_go_over_one_connection(client: Http, origin: str):
    marks: list[str] = []
    sizes, connections = set(), set()
    for size in (0, 3_000_000, 10):
        body = FileBody(io.BytesIO(b"x" * size), size, before_last=lambda: marks.append("before the last bytes"))
        got, connection = client.request("POST", origin, data=body).body.split()
        sizes.add(int(got))
        connections.add(connection)
    assert sizes == {0, 3_000_000, 10}
    assert len(connections) == 1
    assert marks == ["before the last bytes"] * 2


def test_an_answer_that_drips_is_given_up(client: Http, origin: str):
    with pytest.raises(Unavailable, match="вовремя"):
        client.request("GET", origin, response_seconds=0.7)
