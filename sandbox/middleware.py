"""WSGI middleware in front of the emulated platforms: injects faults and logs every request.

A response is sent only after the whole body was read: a client that sends first and reads afterwards would
otherwise see a broken connection instead of an error response.
"""

import contextlib
import errno
import json
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn

from werkzeug.wrappers import Response

from sandbox.body import SLICES_A_SECOND, Body, ConnectionLost
from sandbox.emulator import Emulator
from sandbox.faults import FaultRules, Rule
from sandbox.state import State

Environ = dict[str, Any]
App = Callable[[Environ, Callable], Iterable[bytes]]

REPEATED_BYTES = 10_000
GARBAGE = "<!DOCTYPE html><title>Технические работы</title><h1>Технические работы</h1><p>Зайдите позже.</p>"


class FaultMiddleware:
    def __init__(self, app: App, state: State, faults: FaultRules, emulators: Mapping[str, Emulator]) -> None:
        """`emulators` by the first segment of their paths."""
        self._app = app
        self._state = state
        self._faults = faults
        self._emulators = emulators

    def __call__(self, environ: Environ, start_response: Callable) -> Iterable[bytes]:
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        emulator = self._emulators.get(path.split("/")[1] if "/" in path else "")
        if emulator is None:
            return self._app(environ, start_response)

        method, public_path = environ["REQUEST_METHOD"], emulator.redact(path)
        public_path = emulator.call_name(public_path, environ.get("QUERY_STRING", ""))
        body = environ["wsgi.input"] = Body(environ["wsgi.input"], _length(environ))
        rule = self._faults.match(f"{method} {path}", f"{method} {public_path}")
        response = None
        try:
            response = self._respond(environ, emulator, path, body, rule)
            if response is not None:
                body.drain()
        except ConnectionLost:
            response = None
        if body.aborted:
            response = None
        status = response.status_code if response is not None else 0
        self._state.log(method, public_path, status, body.received, rule and rule.do)
        if response is None:
            reset_connection(environ)
        return response(environ, start_response)

    def _respond(
        self, environ: Environ, emulator: Emulator, path: str, body: Body, rule: Rule | None
    ) -> Response | None:
        """Returns the response; None closes the connection without one."""

        def handle() -> Response:
            return Response.from_app(self._app, environ)

        if rule is None:
            return handle()
        if rule.effect or rule.kind == "lose_answer":
            handled = handle()
        match rule.kind:
            case "status" | "error" as kind:
                respond = emulator.status if kind == "status" else emulator.error
                response = respond(path, rule.argument, rule.retry_after)
                return _repeat(response, environ, body) if rule.repeat else response
            case "garbage":
                return Response(GARBAGE, content_type="text/html; charset=utf-8")
            case "page":
                page = Response(GARBAGE, rule.argument, content_type="text/html; charset=utf-8")
                if rule.retry_after is not None:
                    page.headers["Retry-After"] = str(rule.retry_after)
                return page
            case "lose_answer":
                return None
            case "cut_request":
                if body.length != 0:  # without a body there is nothing to cut
                    body.cut(rule.argument)
                    handle()
                return None
            case "delay":
                wait(environ, rule.argument)
                return handled if rule.effect else handle()
            case "hang":
                wait(environ, rule.argument)
                return None
            case "slow":
                body.limit_rate(rule.argument)
                response = handle()
                response.response = _limit_rate(response.iter_encoded(), rule.argument)
                return response
        raise AssertionError(f"a rule of an unknown kind: {rule}")


def _repeat(response: Response, environ: Environ, body: Body) -> Response:
    """Appends the path, the query, the authorization and a small body to each text of a JSON response."""
    sent = [environ["PATH_INFO"], environ.get("QUERY_STRING", ""), environ.get("HTTP_AUTHORIZATION", "")]
    if body.length and body.length <= REPEATED_BYTES:
        sent.append(body.read(body.length).decode("utf-8", "replace"))

    def repeated(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: repeated(one) for name, one in value.items()}
        if isinstance(value, list):
            return [repeated(one) for one in value]
        return " ".join([value, *sent]) if isinstance(value, str) else value

    response.set_data(json.dumps(repeated(response.get_json())))
    return response


def _length(environ: Environ) -> int | None:
    """Returns the Content-Length; None for a chunked body."""
    if environ.get("HTTP_TRANSFER_ENCODING"):
        return None
    return int(environ.get("CONTENT_LENGTH") or 0)


def _limit_rate(blocks: Iterable[bytes], bytes_per_second: int) -> Iterator[bytes]:
    size = max(1, bytes_per_second // SLICES_A_SECOND)
    for block in blocks:
        for start in range(0, len(block), size):
            piece = block[start : start + size]
            time.sleep(len(piece) / bytes_per_second)
            yield piece


def connection(environ: Environ) -> socket.socket:
    """Returns the client's socket, under gunicorn or werkzeug's own server."""
    return environ.get("gunicorn.socket") or environ["werkzeug.socket"]


def wait(environ: Environ, seconds: float) -> None:
    """Sleeps, at most until the client disconnects: then the thread is free again."""
    poll = select.poll()
    poll.register(connection(environ), select.POLLRDHUP)
    poll.poll(seconds * 1000)


def reset_connection(environ: Environ) -> NoReturn:
    """Closes the connection without a byte of response. Data that the client still sends gets a RST."""
    client = connection(environ)
    with contextlib.suppress(OSError):  # the client has disconnected already
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RDWR)
    # The server treats this as a client that disconnected: no response, no log line.
    raise ConnectionResetError(errno.ECONNRESET, "reset by a fault rule")
