"""A server of files that behaves as badly as it is told to: what an import by address must withstand."""

import hashlib
import http.server
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Handler = http.server.BaseHTTPRequestHandler


@dataclass
class Server:
    """`answers`: by path, what is done with a request; `asked`: the method's headers of each request, in order."""

    url: str
    port: int
    answers: dict[str, Callable[[Handler], None]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def ranges(self, path: str) -> list[str | None]:
        return [headers.get("Range") for asked, headers in self.asked if asked == path]


@contextmanager
def serving() -> Iterator[Server]:
    class _Handler(Handler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            server.asked.append((path, dict(self.headers)))
            with suppress(OSError):
                server.answers[path](self)

        def log_message(self, *_arguments) -> None:
            """Silent."""

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    listening.daemon_threads = True
    server = Server(f"http://127.0.0.1:{listening.server_port}", listening.server_port)
    threading.Thread(target=listening.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()


def plain(body: bytes, *, status: int = 200, etag: str | None = None, **headers: str) -> Callable[[Handler], None]:
    """The whole body, with its length; header names with `_` for `-`."""

    def answer(request: Handler) -> None:
        request.send_response(status)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in ({"Content-Length": str(len(body))} | given).items():
            request.send_header(name, value)
        if etag:
            request.send_header("ETag", etag)
        request.end_headers()
        request.wfile.write(body)

    return answer


def ranged(body: bytes, cuts: list[int] | None = None, etags: list[str] | None = None) -> Callable[[Handler], None]:
    """As good servers do. `cuts`: after so many bytes of an answer its connection ends, one answer each; `etags`: of
    each answer, the last one from then on.
    """
    cuts, etags = list(cuts or []), list(etags or [f'"{hashlib.sha256(body).hexdigest()[:16]}"'])

    def answer(request: Handler) -> None:
        etag = etags.pop(0) if len(etags) > 1 else etags[0]
        found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(found[1]) if found and request.headers.get("If-Range") == etag else 0
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        request.send_header("Content-Length", str(len(body) - start))
        request.send_header("ETag", etag)
        request.end_headers()
        rest = body[start:]
        if cuts:
            request.wfile.write(rest[: cuts.pop(0)])
            request.wfile.flush()
            request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True
        else:
            request.wfile.write(rest)

    return answer


def redirect(to: str, status: int = 302) -> Callable[[Handler], None]:
    return plain(b"", status=status, Location=to)


def endless(head: bytes, block: bytes = bytes(64 << 10), *, pause: float = 0.0) -> Callable[[Handler], None]:
    """A body without a length and without an end."""

    def answer(request: Handler) -> None:
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        request.close_connection = True
        request.wfile.write(head)
        while True:
            request.wfile.write(block)
            request.wfile.flush()
            time.sleep(pause)

    return answer


def raw(data: bytes) -> Callable[[Handler], None]:
    """Any bytes in place of a response."""

    def answer(request: Handler) -> None:
        request.close_connection = True
        request.wfile.write(data)

    return answer
