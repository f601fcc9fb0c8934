"""A client's connection, used as a socket by gunicorn's parser and response.

It belongs to the worker's poller or to one thread at a time, so nothing in it is locked.
"""

import fcntl
import os
import re
import select
import socket
import struct
import termios
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gunicorn.http.errors import NoMoreData

KIB = 1 << 10
# A head and a body up to this are received before a thread is given. All forms but uploads are smaller.
SMALL_BODY = 64 * KIB
_LARGEST_HEAD = 64 * KIB
# Of a response, so much waits in memory until the client takes it; files wait on the disk.
_MOST_UNSENT = 1024 * KIB
_AT_ONCE = 1024 * KIB  # from a file, before other connections have their turn

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class TooSlow(BrokenPipeError):
    """The client does not keep up the least rate. To the server it is as good as gone."""


@dataclass
class Meter:
    """Whether a client moves `rate` bytes a second, on average over windows of `seconds` spent waiting for it."""

    rate: int
    seconds: float
    spent: float = 0.0
    moved: int = 0

    def wait(self, seconds: float, moved: int) -> None:
        """Adds a wait, after which `moved` bytes have been moved in all. Raises TooSlow at the end of a window."""
        self.spent += seconds
        if self.spent >= self.seconds:
            if moved - self.moved < self.rate * self.seconds:
                raise TooSlow
            self.spent, self.moved = 0.0, moved


class _FilePart:
    """What is still to be sent of an open file. The descriptor is its own."""

    def __init__(self, descriptor: int, offset: int, count: int) -> None:
        self._descriptor, self._offset, self._count = os.dup(descriptor), offset, count

    def send(self, to: socket.socket) -> int:
        sent = os.sendfile(to.fileno(), self._descriptor, self._offset, min(self._count, _AT_ONCE))
        if not sent:
            raise BrokenPipeError  # the file has become shorter
        self._offset += sent
        self._count -= sent
        return sent

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        os.close(self._descriptor)


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def send(self, to: socket.socket) -> int:
        sent = to.send(self._data)
        self._data = self._data[sent:]
        return sent

    def __len__(self) -> int:
        return len(self._data)

    def close(self) -> None:
        self._data = memoryview(b"")


class Connection:
    """`patient`: whether `recv` waits for the client. It does for a large body only: all else has been received before.

    `ended`: nothing more is read; `keep`: another request may come; `owner`: whose response it is, for the bound per
    user.
    """

    is_http2 = False
    initialized = data_ready = True  # for ThreadWorker.handle()

    def __init__(self, client: socket.socket, address: tuple, before_wait: Callable[["Connection"], None]) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket, self.client, self.server = client, address, client.getsockname()
        self.sock = self
        self.parser = None
        self.owner: str | None = None
        self.waits = False  # a thread waits, or has waited in this request, for the client
        self.patient = self.keep = self.ended = self.closed = False
        self.deadline = 0.0
        self.begun = False  # something of the next request has been received
        self._before_wait = before_wait
        self._received = bytearray()
        self._searched = 0
        self.needed: int | None = None  # bytes of the head, and of a small body; None: the head is not here yet
        self._continued = False
        self.unsent: deque[_Bytes | _FilePart] = deque()
        self._in = self._out = 0

    # In the poller

    def next_request(self, input_rate: Meter, output_rate: Meter) -> None:
        """Forgets the request that has been served. What was received beyond it is kept."""
        if self.parser:
            self._received[:0] = self.parser.unreader.take_buffered()
        self._searched, self.needed, self._continued = 0, None, False
        self.owner, self.waits = None, False
        self.begun = bool(self._received)
        self._input_rate, self._output_rate = input_rate, output_rate
        self._in = self._out = 0

    def receive(self) -> bool:
        """Takes what has arrived. False: the client has closed."""
        try:
            data = self.socket.recv(_LARGEST_HEAD)
        except BlockingIOError:
            return True
        self._received += data
        self.begun = True
        return bool(data)

    def drop(self) -> bool:
        """As `receive`, for what is not wanted any more."""
        is_open = self.receive()
        self._received.clear()
        return is_open

    def is_ready(self) -> bool:
        """Whether the head is here and, if it is small, the body: a thread will not wait for them."""
        if self.needed is None:
            end = self._received.find(b"\r\n\r\n", self._searched)
            if end < 0:
                self._searched = max(0, len(self._received) - 3)
                return len(self._received) > _LARGEST_HEAD  # the parser refuses it
            self._read_head(end + 4)
        return len(self._received) >= self.needed

    def _read_head(self, end: int) -> None:
        """The parser judges the head; here it is only looked at how much there is to wait for."""
        head = bytes(self._received[:end])
        length = _LENGTH.search(head)
        self.needed = end
        if length and int(length[1]) <= SMALL_BODY and not _CHUNKED.search(head):
            self.needed += int(length[1])
            if _EXPECTS.search(head) and len(self._received) < self.needed:
                self.sendall(_CONTINUE)
                self._continued = True

    def waited(self, seconds: float) -> None:
        """Raises TooSlow. By what the client has acknowledged: the kernel's buffer may hide megabytes from `send`."""
        self._output_rate.wait(seconds, self._acknowledged())

    def _acknowledged(self) -> int:
        queued = struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4)))[0]
        return self._out - queued

    # In either

    def flush(self, rounds: int = 4) -> None:
        """Sends what the socket takes now."""
        try:
            while self.unsent and rounds:
                part = self.unsent[0]
                self._out += part.send(self.socket)
                rounds -= isinstance(part, _FilePart)
                if not len(part):
                    self.unsent.popleft().close()
        except BlockingIOError:
            return

    def close(self) -> None:
        self.closed = True
        while self.unsent:
            self.unsent.popleft().close()
        self.socket.close()

    # As a socket, in a thread

    def recv(self, size: int) -> bytes:
        if self._received:
            data = bytes(self._received[:size])
            del self._received[:size]
            return data
        while not self.ended:
            try:
                data = self.socket.recv(size)
            except BlockingIOError:
                if not self.patient:
                    raise NoMoreData from None
                try:
                    self._wait(select.POLLIN, self._input_rate, lambda: self._in)
                except TooSlow:
                    self.ended = True  # not an error: what the reader holds of the body already is kept
            else:
                self._in += len(data)
                self.ended = not data
                return data
        return b""

    def sendall(self, data: bytes) -> None:
        if data:
            self.unsent.append(_Bytes(data))
        self.flush()
        while sum(len(part) for part in self.unsent if isinstance(part, _Bytes)) > _MOST_UNSENT:
            self._wait(select.POLLOUT, self._output_rate, self._acknowledged)
            self.flush()

    def send(self, data: bytes) -> int:
        """gunicorn's «100 Continue»."""
        if not self._continued:
            self.sendall(data)
        return len(data)

    def sendfile(self, file, offset: int = 0, count: int = 0) -> int:
        self.unsent.append(_FilePart(file.fileno(), offset, count))
        self.flush()
        return count

    def shutdown(self, how: int) -> None:
        """From another thread too: a wait in `recv` or `sendall` ends."""
        self.socket.shutdown(how)

    def gettimeout(self) -> float:
        return 0.0

    def init(self, *_ignored: object) -> None:
        """The parser is there already, nothing blocks in the kernel, and the rate decides how long a wait may be."""

    setblocking = settimeout = init

    def _wait(self, event: int, meter: Meter, moved: Callable[[], int]) -> None:
        self._before_wait(self)
        poll = select.poll()
        poll.register(self.socket, event)
        began = time.monotonic()
        poll.poll(max(meter.seconds - meter.spent, 0) * 1000)
        meter.wait(time.monotonic() - began, moved())
