"""Receivers of webhooks: real HTTP servers that answer as a test says."""

import http.server
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from flask import current_app
from standardwebhooks import Webhook as Verifier

from app.db import commit, db
from app.jobs import deliveries
from app.services import webhook_events

Handler = http.server.BaseHTTPRequestHandler


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def type(self) -> str:
        return json.loads(self.body)["type"]

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.body)["data"]

    def verified(self, secret: str) -> dict[str, Any]:
        """Raises WebhookVerificationError."""
        return Verifier(secret).verify(self.body, self.headers)


class Receiver:
    """`answer` says what a request gets, after it is in `got`; several come at once: its own is `request.received`."""

    def __init__(self, port: int = 0) -> None:
        receiver = self
        self.got: list[Received] = []
        self.answer: Callable[[Handler], None] = ok

        class Requests(Handler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.received = Received(self.path, headers, body)
                receiver.got.append(self.received)
                with suppress(OSError):
                    receiver.answer(self)

            def do_GET(self) -> None:
                receiver.got.append(Received(self.path, {}, b"{}"))
                ok(self)

            def log_message(self, *_arguments) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Requests)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{self.origin}/hook"
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    @property
    def types(self) -> list[str]:
        return [one.type for one in self.got]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def receiver_at_home() -> Iterator[Receiver]:
    """At the application's own address, which LOCAL_HOSTS names."""
    receiver = Receiver(int(current_app.config["PUBLIC_URL"].rpartition(":")[2]))
    try:
        yield receiver
    finally:
        receiver.stop()


def status(code: int, body: bytes = b"", **headers: str) -> Callable[[Handler], None]:
    def answer(request: Handler) -> None:
        request.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


ok = status(200, b"thank you")


def hang(_request: Handler) -> None:
    time.sleep(60)


def drip(request: Handler) -> None:
    """A header line that never ends."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        request.wfile.write(b"x")
        time.sleep(0.2)


def endless(request: Handler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        request.wfile.write(b"y" * 65536)


def reset(request: Handler) -> None:
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def each(*answers: Callable[[Handler], None]) -> Callable[[Handler], None]:
    """One after another; the last one stays."""
    left = list(answers)
    return lambda request: (left.pop(0) if len(left) > 1 else left[0])(request)


def read_events() -> None:
    """What the tick does: events become deliveries."""
    commit()
    with current_app.app_context():
        webhook_events.read()
    db.session.expire_all()


def deliver() -> None:
    """What the tick and a worker do, in a session of their own."""
    read_events()
    with current_app.app_context():
        deliveries.deliver_webhooks(0)
    db.session.expire_all()
