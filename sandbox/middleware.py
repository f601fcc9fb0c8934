"""The WSGI gate before the emulated platforms: troubles strike here, and every request is written down here.

An answer goes out only after the whole body came in. A client that sends first and reads afterwards would
otherwise see a broken connection instead of the refusal.
"""

import contextlib
import errno
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn

from werkzeug.wrappers import Response

from sandbox.body import SLICES_A_SECOND, Body, ConnectionLost
from sandbox.emulator import Emulator
from sandbox.faults import Rule, Troubles
from sandbox.state import World

Environ = dict[str, Any]
App = Callable[[Environ, Callable], Iterable[bytes]]

GARBAGE = "<!DOCTYPE html><title>Технические работы</title><h1>Технические работы</h1><p>Зайдите позже.</p>"


class Gate:
    def __init__(self, app: App, world: World, troubles: Troubles, emulators: Mapping[str, Emulator]) -> None:
        """`emulators` by the first segment of the paths that are theirs."""
        self._app = app
        self._world = world
        self._troubles = troubles
        self._emulators = emulators

    def __call__(self, environ: Environ, start_response: Callable) -> Iterable[bytes]:
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        emulator = self._emulators.get(path.split("/")[1] if "/" in path else "")
        if emulator is None:
            return self._app(environ, start_response)

        method, public_path = environ["REQUEST_METHOD"], emulator.redact(path)
        body = environ["wsgi.input"] = Body(environ["wsgi.input"], _length(environ))
        rule = self._troubles.strike(f"{method} {path}", f"{method} {public_path}")
        answer = None
        try:
            answer = self._answer(environ, emulator, path, body, rule)
            if answer is not None:
                body.drain()
        except ConnectionLost:
            answer = None
        if body.lost:
            answer = None
        status = answer.status_code if answer is not None else 0
        self._world.log(method, public_path, status, body.received, rule and rule.do)
        if answer is None:
            hang_up(environ)
        return answer(environ, start_response)

    def _answer(
        self, environ: Environ, emulator: Emulator, path: str, body: Body, rule: Rule | None
    ) -> Response | None:
        """The answer to give; None for hanging up without one."""

        def deed() -> Response:
            return Response.from_app(self._app, environ)

        if rule is None:
            return deed()
        if rule.effect or rule.kind == "lose_answer":
            done = deed()
        match rule.kind:
            case "status":
                return emulator.status(path, rule.argument, rule.retry_after)
            case "error":
                return emulator.error(path, rule.argument, rule.retry_after)
            case "garbage":
                return Response(GARBAGE, content_type="text/html; charset=utf-8")
            case "page":
                said = Response(GARBAGE, rule.argument, content_type="text/html; charset=utf-8")
                if rule.retry_after is not None:
                    said.headers["Retry-After"] = str(rule.retry_after)
                return said
            case "lose_answer":
                return None
            case "cut_request":
                if body.length != 0:  # without a body nothing is begun
                    body.cut(rule.argument)
                    deed()
                return None
            case "delay":
                wait(environ, rule.argument)
                return done if rule.effect else deed()
            case "hang":
                wait(environ, rule.argument)
                return None
            case "slow":
                body.slow(rule.argument)
                answer = deed()
                answer.response = _slowly(answer.iter_encoded(), rule.argument)
                return answer
        raise AssertionError(f"a rule of an unknown kind: {rule}")


def _length(environ: Environ) -> int | None:
    """Announced bytes of the body; None for a chunked one."""
    if environ.get("HTTP_TRANSFER_ENCODING"):
        return None
    return int(environ.get("CONTENT_LENGTH") or 0)


def _slowly(blocks: Iterable[bytes], bytes_per_second: int) -> Iterator[bytes]:
    size = max(1, bytes_per_second // SLICES_A_SECOND)
    for block in blocks:
        for start in range(0, len(block), size):
            piece = block[start : start + size]
            time.sleep(len(piece) / bytes_per_second)
            yield piece


def connection(environ: Environ) -> socket.socket:
    """The client's socket, under gunicorn or werkzeug's own server."""
    return environ.get("gunicorn.socket") or environ["werkzeug.socket"]


def wait(environ: Environ, seconds: float) -> None:
    """Sleeps, but no longer than the client stays: a thread is too dear to sleep for nobody."""
    poll = select.poll()
    poll.register(connection(environ), select.POLLRDHUP)
    poll.poll(seconds * 1000)


def hang_up(environ: Environ) -> NoReturn:
    """Ends the connection without a byte of answer; whatever the client still sends meets a reset."""
    client = connection(environ)
    with contextlib.suppress(OSError):  # the client was faster
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.shutdown(socket.SHUT_RDWR)
    # Servers take this for a client that went away: nothing is answered, nothing logged.
    raise ConnectionResetError(errno.ECONNRESET, "hung up")
