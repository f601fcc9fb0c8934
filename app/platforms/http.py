"""HTTP towards the platforms: constant memory, bounded waits, and exceptions that never carry an address.

An address can hold a token (Telegram's does), so `requests`' exceptions, which quote it, are replaced here.
"""

import fcntl
import json
import select
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
)

from app.platforms.errors import Unavailable

CONNECT_SECONDS = 10
# An upload of which no byte moves for this long is given up; a slow one goes on.
STALL_SECONDS = 30
ANSWER_SECONDS = 30
# A platform that answers an upload only when it has looked at the file; leases are made to outlast it.
LONG_ANSWER_SECONDS = 180
# Bytes that the kernel still holds when a connection is dropped are not delivered later than this.
UNACKNOWLEDGED_MS = 20_000

BLOCK_BYTES = 1 << 20
_SLICE_BYTES = 128 << 10
_MAX_ANSWER_BYTES = 4 << 20
_LOOK_SECONDS = 0.02

_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
if hasattr(socket, "TCP_USER_TIMEOUT"):
    _SOCKET_OPTIONS.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS))


class _SteadySending:
    """`sendall`'s time-out covers all it is given: handed a large block, a slow line would look like a stalled one."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(STALL_SECONDS)

    def request(self, method, url, body=None, *args, **kwargs) -> None:
        if hasattr(body, "watch"):
            body.watch(self)
        super().request(method, url, body, *args, **kwargs)

    def peer_spoke(self) -> bool:
        """Whether the other side has answered or hung up. Under TLS bytes may be the protocol's own, an end is not."""
        readable, _, _ = select.select([self.sock], [], [], 0)
        if not readable:
            return False
        try:
            waiting = socket.socket.recv(self.sock, 1, socket.MSG_PEEK)
        except OSError:
            return True
        return not waiting or not isinstance(self.sock, ssl.SSLSocket)

    def wait_until_delivered(self) -> bool:
        """What is not acknowledged for UNACKNOWLEDGED_MS ends the connection: then `peer_spoke()`."""
        give_up = time.monotonic() + 1
        while self._undelivered() and time.monotonic() < give_up and not self.peer_spoke():
            time.sleep(_LOOK_SECONDS)
        return not self._undelivered()

    def _undelivered(self) -> int:
        """Bytes that the other side's kernel has not acknowledged (tcp(7), SIOCOUTQ)."""
        [count] = struct.unpack("i", fcntl.ioctl(self.sock.fileno(), termios.TIOCOUTQ, struct.pack("i", 0)))
        return count

    def send(self, data) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)) or len(data) <= _SLICE_BYTES:
            return super().send(data)
        view = memoryview(data)
        for start in range(0, len(view), _SLICE_BYTES):
            super().send(view[start : start + _SLICE_BYTES])
        return None


class _Connection(_SteadySending, HTTPConnection):
    pass


class _SecureConnection(_SteadySending, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Transport(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, blocksize=BLOCK_BYTES, socket_options=_SOCKET_OPTIONS, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any):
        manager = super().proxy_manager_for(proxy, blocksize=BLOCK_BYTES, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The parsed body, or None where it is not JSON (an HTML page of some gateway)."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Window:
    """At most `limit` calls in `seconds` for everything that shares `key` (hashed before it is stored)."""

    key: str
    limit: int
    seconds: float


Pace = Callable[..., None]


def no_pacing(*_windows: Window) -> None:
    """For the few calls of a user who is connecting an account."""


class Http:
    """One conversation: reuses its connections, follows no redirects. `pace` waits or raises RateLimited."""

    def __init__(self, pace: Pace = no_pacing) -> None:
        self.pace = pace
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Transport())

    def request(
        self, method: str, url: str, *, proxy: str = "", answer_seconds: float = ANSWER_SECONDS, **kwargs: Any
    ) -> Answer:
        """Raises Unavailable; errors that our own body raises while it is read come through unchanged."""
        proxies = {"http": proxy, "https": proxy} if proxy else None
        try:
            with self._session.request(
                method,
                url,
                allow_redirects=False,
                stream=True,
                proxies=proxies,
                timeout=(CONNECT_SECONDS, answer_seconds),
                **kwargs,
            ) as response:
                body = response.raw.read(_MAX_ANSWER_BYTES, decode_content=True)
                return Answer(response.status_code, response.headers, body)
        except requests.RequestException as error:
            raise Unavailable(_describe(error), harmless=_never_connected(error)) from None
        except (HTTPError, OSError) as error:
            raise Unavailable(type(error).__name__) from None

    def close(self) -> None:
        self._session.close()


def _cause(error: BaseException) -> BaseException:
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else error
    return inner.reason if isinstance(inner, MaxRetryError) and inner.reason else inner


def _never_connected(error: requests.RequestException) -> bool:
    return isinstance(_cause(error), (NewConnectionError, ConnectTimeoutError, NameResolutionError))


def _describe(error: requests.RequestException) -> str:
    """The kind of trouble only: the text of these exceptions quotes the address."""
    return type(_cause(error)).__name__
