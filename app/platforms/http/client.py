"""HTTP towards the platforms: constant memory, bounded waits, and exceptions that never carry an address.

An address can hold a token (Telegram's does), so `requests`' exceptions, which quote it, are replaced here.
Hosts that the operator has named are asked as they are; what platforms hand us (upload addresses) is connected to only
at a public address, which is looked up once, checked and used.
"""

import fcntl
import json
import select
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

import requests
import structlog
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from app import clock
from app.platforms.errors import LONGEST_WAIT, RateLimited, Refused, Unavailable
from app.platforms.http import ssrf_guard

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 10
# An upload of which no byte moves for this long is given up; a slow one goes on.
STALL_SECONDS = 30
ANSWER_SECONDS = 30
# A platform that answers an upload only when it has looked at the file; leases are made to outlast it.
LONG_ANSWER_SECONDS = 180
# Bytes that the kernel still holds when a connection is dropped are not delivered later than this.
UNACKNOWLEDGED_MS = 20_000

BLOCK_BYTES = 1 << 20
_MAX_ANSWER_BYTES = 4 << 20
_ANSWER_BLOCK = 64 << 10
_FIRST_LOOK_SECONDS, _LAST_LOOK_SECONDS = 0.0001, 0.02

# The first that fits: some are kinds of those below them.
_TROUBLES = (
    (NameResolutionError, "адрес платформы не найден"),
    (NewConnectionError, "платформа не принимает соединения"),
    (ConnectTimeoutError, "платформа не приняла соединение вовремя"),
    ((ProxyError, requests.exceptions.ProxyError), "прокси не отвечает"),
    ((TimeoutError, urllib3.exceptions.TimeoutError, requests.Timeout), "ответ не пришёл вовремя"),
    ((ssl.SSLError, SSLError, requests.exceptions.SSLError), "защищённое соединение не установилось"),
    ((DecodeError, requests.exceptions.ContentDecodingError), "ответ пришёл испорченным"),
    (Exception, "соединение оборвалось"),
)

_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
if hasattr(socket, "TCP_USER_TIMEOUT"):
    _SOCKET_OPTIONS.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS))


class _SteadySending:
    """`sendall`'s time-out covers all it is given: handed a large block, a slow line would look like a stalled one.

    `send` takes what fits, and its time-out begins anew.
    """

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(STALL_SECONDS)

    def request(self, method, url, body=None, *args, **kwargs) -> None:
        if hasattr(body, "watch"):
            body.watch(self)
        super().request(method, url, body, *args, **kwargs)

    def has_early_response(self) -> bool:
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
        give_up, pause = time.monotonic() + 1, _FIRST_LOOK_SECONDS
        while self._undelivered() and time.monotonic() < give_up and not self.has_early_response():
            time.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK_SECONDS)
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


class _Connection(_SteadySending, HTTPConnection):
    pass


class _SecureConnection(_SteadySending, HTTPSConnection):
    pass


class _OnlyPublic:
    """Connects to the very address that was checked: a name that answers differently a moment later gains nothing.

    The name stays what is asked for and what the certificate must be for.
    """

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            found = ssrf_guard.resolve(name, self.port)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from None
        if not all(map(ssrf_guard.is_public, found)):
            raise Refused("forbidden_address")
        try:
            return self._connect_to_one_of(found)
        finally:
            self._dns_host = name

    def _connect_to_one_of(self, found: list[str]) -> socket.socket:
        *others, last = found
        for self._dns_host in others:
            try:
                return super()._new_conn()
            except (NewConnectionError, ConnectTimeoutError):
                continue  # the name has more addresses
        self._dns_host = last
        return super()._new_conn()


class _PublicConnection(_OnlyPublic, _Connection):
    pass


class _PublicSecureConnection(_OnlyPublic, _SecureConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _PublicPool(HTTPConnectionPool):
    ConnectionCls = _PublicConnection


class _PublicSecurePool(HTTPSConnectionPool):
    ConnectionCls = _PublicSecureConnection


class _Transport(HTTPAdapter):
    """To hosts that the operator has named."""

    pools = {"http": _Pool, "https": _SecurePool}

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, blocksize=BLOCK_BYTES, socket_options=_SOCKET_OPTIONS, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self.pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any):
        manager = super().proxy_manager_for(proxy, blocksize=BLOCK_BYTES, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self.pools
        return manager


class _PublicTransport(_Transport):
    """To hosts that somebody else has named."""

    pools = {"http": _PublicPool, "https": _PublicSecurePool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any):
        """A proxy looks names up by itself, where we cannot see what it finds."""
        raise Refused("forbidden_address")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The parsed body, or None where it is not JSON (an HTML page of some gateway).

        Without zero bytes and halves of surrogate pairs, which JSON can escape, but no page and no database holds.
        """
        try:
            parsed = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return _printable(parsed) if b"\\u" in self.body else parsed

    def retry_at(self, pause: float) -> datetime:
        return retry_at(self.headers.get("Retry-After"), pause)

    def raise_if_limited(self, pause: float, detail: str = "", *, definitely_not_applied: bool = False) -> None:
        """Raises RateLimited for a 429, and for a 503 that says when to come again.

        `harmless` where the answer has the platform's own shape: a gateway may have passed the request on.
        """
        if self.status == 429 or (self.status == 503 and "Retry-After" in self.headers):
            raise RateLimited(self.retry_at(pause), detail, definitely_not_applied=definitely_not_applied)


def retry_at(said: Any, pause: float) -> datetime:
    """When to come again, by a Retry-After header or a number of seconds in a body, at most LONGEST_WAIT from now.

    After `pause` seconds where it is neither, or not ahead. https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
    """
    now = clock.now()
    longest = LONGEST_WAIT.total_seconds()
    try:
        seconds = float(said)
    except OverflowError:
        seconds = longest
    except (TypeError, ValueError):
        seconds = _seconds_to_date(said, now)
    return now + timedelta(seconds=min(seconds, longest) if seconds >= 0 else pause)


def _seconds_to_date(said: Any, now: datetime) -> float:
    """Negative where it is no date."""
    try:
        date = parsedate_to_datetime(said)
        return ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
    except (TypeError, ValueError, OverflowError, AttributeError):
        return -1


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "").encode(errors="ignore").decode()
    if isinstance(value, dict):
        return {_printable(name): _printable(inner) for name, inner in value.items()}
    return [_printable(inner) for inner in value] if isinstance(value, list) else value


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
        self._origins: set[str] = set()

    def allow(self, origins: Iterable[str]) -> None:
        """These (`scheme://host:port`) are asked wherever they are: the operator has named them."""
        self._origins.update(origins)
        if "_session" in vars(self):
            self._mount(self._session)

    @cached_property
    def _session(self) -> requests.Session:
        """Made when it is needed: a page asks adapters for what they know by heart, a hundred times."""
        session = requests.Session()
        # Neither proxies nor passwords of the machine's environment: where a request goes is said by the settings.
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, _PublicTransport())
        self._mount(session)
        return session

    def _mount(self, session: requests.Session) -> None:
        for origin in self._origins:
            session.mount(f"{origin}/", _Transport())

    def request(
        self, method: str, url: str, *, proxy: str = "", answer_seconds: float = ANSWER_SECONDS, **kwargs: Any
    ) -> Answer:
        """Raises Unavailable, or Refused("forbidden_address") for one that must not be asked.

        Errors that our own body raises while it is read come through unchanged.
        """
        if not url.lower().startswith(("http://", "https://")):
            raise Refused("forbidden_address")
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
                return Answer(response.status_code, response.headers, _read(response, answer_seconds))
        except requests.RequestException as error:
            raise Unavailable(_describe(error), definitely_not_applied=_never_connected(error)) from None
        except (HTTPError, OSError) as error:
            raise Unavailable(_describe(error)) from None

    def close(self) -> None:
        self._session.close()


def _read(response: requests.Response, seconds: float) -> bytes:
    """The answer's body, unpacked: at most so many bytes, and not for longer, however slowly it drips."""
    body, give_up = bytearray(), time.monotonic() + seconds
    while len(body) < _MAX_ANSWER_BYTES:
        block = response.raw.read1(_ANSWER_BLOCK, decode_content=True)
        if not block:
            break
        body += block
        if time.monotonic() > give_up:
            raise TimeoutError
    return bytes(body[:_MAX_ANSWER_BYTES])


def _cause(error: BaseException) -> BaseException:
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else error
    return inner.reason if isinstance(inner, MaxRetryError) and inner.reason else inner


def _never_connected(error: requests.RequestException) -> bool:
    return isinstance(_cause(error), (NewConnectionError, ConnectTimeoutError, NameResolutionError))


def _describe(error: Exception) -> str:
    """The kind of trouble only: the text of these exceptions quotes the address."""
    cause = _cause(error)
    log.info("no answer", error=type(cause).__name__)
    return next(text for kinds, text in _TROUBLES if isinstance(cause, kinds))
