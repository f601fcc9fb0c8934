"""Servers that are no «Везде», or not for now: whatever stands in the script is answered, one request after another."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JSON = "application/json"


@dataclass
class Reply:
    status: int = 200
    body: bytes = b"{}"
    type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    # Instead of a whole answer: writes to the connection what it likes.
    instead: Callable[[BaseHTTPRequestHandler], None] | None = None


@dataclass
class Unreliable:
    url: str
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def unreliable(replies: Iterable[Reply]) -> Iterator[Unreliable]:
    """The last reply is given for ever."""
    script = list(replies)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            rest = int(self.headers.get("Content-Length") or 0)
            while rest and (block := self.rfile.read(min(rest, 1 << 20))):
                rest -= len(block)
            made.seen.append((self.command, self.path, dict(self.headers)))
            reply = script.pop(0) if len(script) > 1 else script[0]
            with suppress(OSError):
                if reply.instead:
                    self.close_connection = True
                    reply.instead(self)
                else:
                    self._answer(reply)

        def _answer(self, reply: Reply) -> None:
            self.send_response(reply.status)
            headers = {"Content-Type": reply.type, "Content-Length": str(len(reply.body)), **reply.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do

        def log_message(self, *_arguments) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Unreliable(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def nothing(handler: BaseHTTPRequestHandler) -> None:
    """Closes without a word."""


def half_a_body(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        handler.wfile.write(b" " * (1 << 20))


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)
