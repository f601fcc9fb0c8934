"""A proxy in front of an S3 server that spoils the answers to GET (or HEAD) of an object."""

import gzip
import http.client
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Said:
    """An answer on its way through the proxy."""

    status: int
    headers: dict[str, str]
    body: bytes
    announced: int | None = None  # Content-Length, where it is not the body's


Lie = Callable[[Said, bytes], None]


def whole_file(said: Said, content: bytes) -> None:
    """`Range` is ignored."""
    said.status, said.body = 200, content
    said.headers.pop("Content-Range", None)


def whole_file_as_a_part(said: Said, content: bytes) -> None:
    """Cut to the length that was asked for, from the start: shifted bytes of the right length."""
    said.body = content[: len(said.body)]
    said.status = 200
    said.headers.pop("Content-Range", None)


def other_range(said: Said, content: bytes) -> None:
    start = len(content) - len(said.body)
    said.body = content[start - 1 : -1]
    said.headers["Content-Range"] = f"bytes {start - 1}-{len(content) - 2}/{len(content)}"


def other_total(said: Said, content: bytes) -> None:
    said.headers["Content-Range"] = said.headers["Content-Range"].rpartition("/")[0] + f"/{len(content) + 1}"


def no_content_range(said: Said, content: bytes) -> None:
    said.headers.pop("Content-Range", None)


def packed(said: Said, content: bytes) -> None:
    said.body = gzip.compress(said.body)
    said.headers["Content-Encoding"] = "gzip"


def called_packed(said: Said, content: bytes) -> None:
    """The right length, and nobody knows what the bytes are."""
    said.headers["Content-Encoding"] = "br"


def too_short(said: Said, content: bytes) -> None:
    """And says so: no client can see that it was cut."""
    said.body = said.body[:-1]


def cut(said: Said, content: bytes) -> None:
    said.announced, said.body = len(said.body), said.body[:-1]


def replaced(said: Said, content: bytes) -> None:
    said.body = bytes(len(said.body))
    said.headers["Etag"] = '"another"'


LIES: dict[str, Lie] = {
    lie.__name__: lie
    for lie in (
        whole_file,
        whole_file_as_a_part,
        other_range,
        other_total,
        no_content_range,
        packed,
        called_packed,
        too_short,
        cut,
        replaced,
    )
}


class LyingProxy:
    """Lies `times` times, beginning with the GET after the first `honest` ones."""

    def __init__(self, port: int, lie: Lie, content: bytes, times: int, honest: int = 0) -> None:
        proxy = self
        self.lies = 0
        self._seen = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                there = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                there.request(self.command, self.path, sent, headers)
                answer = there.getresponse()
                said = Said(answer.status, {name.title(): value for name, value in answer.getheaders()}, answer.read())
                there.close()
                if self.command == "GET" and said.status in (200, 206):
                    proxy._seen += 1
                    if proxy._seen > honest and proxy.lies < times:
                        proxy.lies += 1
                        lie(said, content)
                self.send_response(said.status)
                for name, value in said.headers.items():
                    if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                        self.send_header(name, value)
                length = said.announced or len(said.body)
                if self.command == "HEAD":
                    length = int(said.headers.get("Content-Length", 0))
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else said.body)
                self.close_connection = said.announced is not None

            do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = do

            def log_message(self, *_args) -> None:
                """Silent."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def lying(url: str, lie: Lie, content: bytes, times: int = 1000, honest: int = 0) -> Iterator[tuple[LyingProxy, str]]:
    """The proxy, and the storage's address through it. `url` is the honest address."""
    endpoint = url.partition("endpoint=")[2].partition("&")[0]
    proxy = LyingProxy(urlsplit(endpoint).port, lie, content, times, honest)
    try:
        yield proxy, url.replace(endpoint, proxy.url)
    finally:
        proxy.stop()
