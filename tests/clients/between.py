"""A proxy between the client and the real service, where requests and answers are lost just when a test wants it."""

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

# Of «method path»: what happens to it. Each is called once at most, the first one that fits.
BEFORE, HALFWAY, AFTER = "before", "halfway", "after"
_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")


class Between:
    """`lose(…)`: from then on a request that begins so is lost at that point, and `then` is called, once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._fault: tuple[str, str, Callable[[], None]] | None = None
        self.seen: list[str] = []
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                between.pass_on(self)

            do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do

            def log_message(self, *_arguments) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def lose(self, begins: str, point: str, then: Callable[[], None] = lambda: None) -> None:
        self._fault = begins, point, then

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        line = f"{handler.command} {handler.path}"
        self.seen.append(line)
        begins, point, then = self._fault or ("", "", lambda: None)
        hit = bool(begins) and line.startswith(begins)
        if hit:
            self._fault = None
        if hit and point == BEFORE:
            self._cut(handler, then)
            return
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        far = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            far.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                far.putheader(name, value)
            far.endheaders(body[: len(body) // 2] if hit and point == HALFWAY else body)
            if hit and point == HALFWAY:
                far.close()
                self._cut(handler, then)
                return
            response = far.getresponse()
            answer = response.read()
            if hit:
                self._cut(handler, then)
                return
            self._answer(handler, response, answer)
        finally:
            far.close()

    @staticmethod
    def _cut(handler: BaseHTTPRequestHandler, then: Callable[[], None]) -> None:
        handler.close_connection = True
        then()

    @staticmethod
    def _answer(handler: BaseHTTPRequestHandler, response: http.client.HTTPResponse, body: bytes) -> None:
        handler.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _HOP:
                handler.send_header(name, value)
        if response.status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
