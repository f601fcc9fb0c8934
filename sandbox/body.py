"""A request's body on its way in: counted, and where a trouble wants it, slowed down or cut off."""

import time
from typing import BinaryIO

from sandbox.state import BLOCK

SLICES_A_SECOND = 10
"""A slowed body arrives in this many pieces a second."""


class ConnectionLost(Exception):
    """The body ended before its announced length, by the client's doing or by a trouble's."""


class Body:
    """Stands in for `wsgi.input`. Its end (`b""`) is always the real end: who read to it has the whole."""

    def __init__(self, stream: BinaryIO, length: int | None) -> None:
        self._stream = stream
        self.length = length
        """Announced bytes; None where the client announces none (a chunked body)."""
        self._stop: int | None = None
        self._rate: int | None = None
        self.received = 0
        self.lost = False

    def cut(self, percent: float) -> None:
        """Ends after that share of the announced length: at most all but the last byte, so never the whole.

        A body that does not announce its length is cut before its first byte.
        """
        length = self.length or 0
        self._stop = max(0, min(int(length * percent / 100), length - 1))

    def slow(self, bytes_per_second: int) -> None:
        self._rate = bytes_per_second

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; without a size a piece of the body. Raises ConnectionLost."""
        size = BLOCK if size is None or size < 0 else size
        if self._stop is not None:
            size = min(size, self._stop - self.received)
            if size <= 0:
                self._lose()
        if self._rate:
            size = min(size, max(1, self._rate // SLICES_A_SECOND))
        try:
            block = self._stream.read(size)
        except OSError:
            self._lose()
        self.received += len(block)
        if self._rate:
            time.sleep(len(block) / self._rate)
        if not block and self.length is not None and self.received < self.length:
            self._lose()
        return block

    def drain(self) -> None:
        """Reads what nobody wanted. Raises ConnectionLost."""
        while self.read(BLOCK):
            pass

    def _lose(self) -> None:
        self.lost = True
        raise ConnectionLost
