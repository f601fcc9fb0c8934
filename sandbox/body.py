"""The stream of a request's body: counts bytes and, for fault injection, limits the rate or ends early."""

import time
from typing import BinaryIO

from sandbox.state import BLOCK

SLICES_A_SECOND = 10
"""A rate-limited body is read in this many pieces a second."""


class ConnectionLost(Exception):
    """The body ended before its Content-Length: the client disconnected, or a fault was injected."""


class Body:
    """Replaces `wsgi.input`. `b""` always means that the whole body was read."""

    def __init__(self, stream: BinaryIO, length: int | None) -> None:
        self._stream = stream
        self.length = length
        """Content-Length; None for a chunked body."""
        self._stop: int | None = None
        self._rate: int | None = None
        self.received = 0
        self.aborted = False

    def cut(self, percent: float) -> None:
        """Ends the body after `percent` of its length, and always before its last byte.

        A body without a Content-Length ends before its first byte.
        """
        length = self.length or 0
        self._stop = max(0, min(int(length * percent / 100), length - 1))

    def limit_rate(self, bytes_per_second: int) -> None:
        self._rate = bytes_per_second

    def read(self, size: int = -1) -> bytes:
        """Returns up to `size` bytes, or one block without a size. Raises ConnectionLost."""
        size = BLOCK if size is None or size < 0 else size
        if self._stop is not None:
            size = min(size, self._stop - self.received)
            if size <= 0:
                self._abort()
        if self._rate:
            size = min(size, max(1, self._rate // SLICES_A_SECOND))
        try:
            block = self._stream.read(size)
        except OSError:
            self._abort()
        self.received += len(block)
        if self._rate:
            time.sleep(len(block) / self._rate)
        if not block and self.length is not None and self.received < self.length:
            self._abort()
        return block

    def drain(self) -> None:
        """Reads and discards the rest. Raises ConnectionLost."""
        while self.read(BLOCK):
            pass

    def _abort(self) -> None:
        self.aborted = True
        raise ConnectionLost
