"""Connections that send steadily, can be watched while they send, and connect only where they may."""

import fcntl
import select
import socket
import ssl
import struct
import termios
import time
from collections.abc import Mapping
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.poolmanager import pool_classes_by_scheme

from app.outgoing import trust
from app.outgoing.connections import ResolvingConnection, WatchedConnection
from app.outgoing.deadline import current
from app.platforms.http import ssrf_guard
from app.platforms.http.timeouts import STALL_SECONDS, UNACKNOWLEDGED_MS

BLOCK_BYTES = 1 << 20
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.0001, 0.02

_SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS),
]


class SendingConnection(WatchedConnection):
    """What a body is sent by, and may ask while it is read.

    `sendall`'s time-out covers all that it is given: a large block on a slow connection would time out as a stalled
    one. `send` takes what fits, and its time-out begins anew.
    """

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(STALL_SECONDS)

    def request(self, method, url, body=None, *args, **kwargs) -> None:
        if hasattr(body, "connection"):
            body.connection = self
        super().request(method, url, body, *args, **kwargs)

    def getresponse(self):
        if deadline := current():
            deadline.request_is_sent()
        return super().getresponse()

    def has_early_response(self) -> bool:
        """Whether a response or an end of the connection is there. Under TLS, bytes may be the protocol's own."""
        readable, _, _ = select.select([self.sock], [], [], 0)
        if not readable:
            return False
        try:
            waiting = socket.socket.recv(self.sock, 1, socket.MSG_PEEK)
        except OSError:
            return True
        return not waiting or not isinstance(self.sock, ssl.SSLSocket)

    def wait_until_delivered(self) -> bool:
        """Waits a moment for the platform's machine to acknowledge all that was sent; returns whether it has.

        What is not acknowledged for UNACKNOWLEDGED_MS ends the connection: then `has_early_response()`.
        """
        give_up, pause = time.monotonic() + 1, _FIRST_PAUSE_SECONDS
        while self._undelivered() and time.monotonic() < give_up and not self.has_early_response():
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return not self._undelivered()

    def _undelivered(self) -> int:
        """Bytes that the other side's kernel has not acknowledged (tcp(7), SIOCOUTQ)."""
        [count] = struct.unpack("i", fcntl.ioctl(self.sock.fileno(), termios.TIOCOUTQ, struct.pack("i", 0)))
        return count

    def send(self, data) -> None:
        if self.sock is None or not isinstance(data, bytes):
            return super().send(data)
        left = memoryview(data)
        while left:
            left = left[self.sock.send(left) :]
        return None


class _OnlyPublic(ResolvingConnection):
    """Connects to the very address that was checked: a name that resolves differently a moment later gains nothing.

    The Host header and the certificate keep the name.
    """

    def check_addresses(self, addresses: list[str]) -> None:
        if not all(map(ssrf_guard.is_public, addresses)):
            raise ssrf_guard.refused()


def _pools(*mixins: type, of: Mapping[str, type] = pool_classes_by_scheme) -> dict[str, type]:
    """urllib3's pools by scheme, whose connections have `mixins` before urllib3's own class."""
    return {
        scheme: type("_Pool", (pool,), {"ConnectionCls": type("_Connection", (*mixins, pool.ConnectionCls), {})})
        for scheme, pool in of.items()
    }


class Transport(HTTPAdapter):
    """To hosts that the operator has named, wherever they are."""

    pools = _pools(ResolvingConnection, SendingConnection)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        options = {"blocksize": BLOCK_BYTES, "socket_options": _SOCKET_OPTIONS, **trust.pool_options()}
        super().init_poolmanager(*args, **options, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self.pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any):
        manager = super().proxy_manager_for(proxy, blocksize=BLOCK_BYTES, **trust.pool_options(), **kwargs)
        socks = proxy.lower().startswith("socks")
        manager.pool_classes_by_scheme = (
            _pools(SendingConnection, of=manager.pool_classes_by_scheme) if socks else self.pools
        )
        return manager


class PublicTransport(Transport):
    """To hosts that a platform has named: at public addresses only."""

    pools = _pools(_OnlyPublic, SendingConnection)

    def proxy_manager_for(self, proxy: str, **kwargs: Any):
        """A proxy resolves names by itself: its addresses cannot be checked."""
        raise ssrf_guard.refused()
