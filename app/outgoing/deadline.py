"""One deadline around a whole call, however its parts drip: name, connection, handshake, request, headers, body.

Time-outs of sockets begin anew with each byte. When a deadline has passed, a thread of its own shuts the call's sockets
down: whatever waits for them ends.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

# What goes or comes more slowly than this is given up: 500 MB in three hours.
SLOWEST_BYTES_A_SECOND = 48_000

_of_this_thread = threading.local()


class Deadline:
    """As a context: the deadline of all that this thread sends. Seconds are of a clock that runs on while suspended.

    `sending`: for everything up to the end of the request; `answering`: for the response, from then on, where it has
    a time of its own. One inside another stands alone: a clip is read from its bucket while it is sent to a platform.
    """

    def __init__(self, sending: float, answering: float | None = None) -> None:
        self._answering = answering
        self._ends_at = time.monotonic() + sending
        self._changed = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._over = False
        self.has_passed = False

    def __enter__(self) -> "Deadline":
        self._outer = current()
        _of_this_thread.deadline = self
        return self

    def __exit__(self, *_error: object) -> None:
        _of_this_thread.deadline = self._outer
        with self._changed:
            self._over = True
            self._changed.notify()
            for watched in self._sockets:
                watched.close()

    def left(self) -> float:
        """Seconds. Raises TimeoutError where there are none."""
        seconds = self._ends_at - time.monotonic()
        if self.has_passed or seconds <= 0:
            self.has_passed = True
            raise TimeoutError
        return seconds

    def watch(self, connected: socket.socket) -> None:
        """A copy of the descriptor is kept: TLS takes the socket's own away, and it may be closed meanwhile."""
        with self._changed:
            self.left()
            # Not `connected.dup()`, which a TLS socket refuses.
            self._sockets.append(socket.socket(fileno=os.dup(connected.fileno())))
            if len(self._sockets) == 1:
                threading.Thread(target=self._wait, daemon=True, name="deadline").start()

    def request_is_sent(self) -> None:
        if self._answering is None:
            return
        with self._changed:
            self._ends_at = time.monotonic() + self._answering
            self._changed.notify()

    def renew(self, seconds: float) -> None:
        """Later than before: for a body that comes in blocks. Raises TimeoutError where it has passed already."""
        with self._changed:
            self.left()
            self._ends_at = max(self._ends_at, time.monotonic() + seconds)

    def _wait(self) -> None:
        with self._changed:
            while not self._over and (left := self._ends_at - time.monotonic()) > 0:
                self._changed.wait(left)
            if self._over:
                return
            self.has_passed = True
            for watched in self._sockets:
                with suppress(OSError):
                    watched.shutdown(socket.SHUT_RDWR)


def current() -> Deadline | None:
    return getattr(_of_this_thread, "deadline", None)


def within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns, or the OSError or UnicodeError that it raises; TimeoutError where it takes longer.

    For what cannot be interrupted: a question to name servers.
    """
    outcome: list[Callable[[], T]] = []

    def run() -> None:
        try:
            found = ask()
        except (OSError, UnicodeError) as error:
            outcome.append(lambda error=error: _raise(error))
        else:
            outcome.append(lambda: found)

    thread = threading.Thread(target=run, daemon=True, name="name")
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError
    return outcome[0]()


def _raise(error: Exception) -> T:
    raise error
