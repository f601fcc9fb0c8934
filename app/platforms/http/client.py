"""HTTP towards the platforms: constant memory, bounded waits, and exceptions that never carry an address.

An address can hold a token (Telegram's does), so `requests`' exceptions, which quote it, are replaced here.
Requests go to hosts that the operator has named, wherever they are, and to hosts that platforms name (upload addresses)
at public addresses only.
"""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import requests
import structlog
import urllib3
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

from app.platforms.errors import Unavailable
from app.platforms.http import ssrf_guard
from app.platforms.http.response import Response
from app.platforms.http.session import BoundedSession
from app.platforms.http.transport import PublicTransport, Transport

log = structlog.get_logger(__name__)

# The first that fits: some are kinds of those below them.
_FAILURES = (
    (NameResolutionError, "адрес площадки не найден"),
    (NewConnectionError, "площадка не принимает соединения"),
    (ConnectTimeoutError, "площадка не приняла соединение вовремя"),
    ((ProxyError, requests.exceptions.ProxyError), "прокси не отвечает"),
    ((TimeoutError, urllib3.exceptions.TimeoutError, requests.Timeout), "ответ не пришёл вовремя"),
    ((ssl.SSLError, SSLError, requests.exceptions.SSLError), "защищённое соединение не установилось"),
    ((DecodeError, requests.exceptions.ContentDecodingError), "ответ пришёл испорченным"),
    (Exception, "соединение оборвалось"),
)


@dataclass(frozen=True)
class Window:
    """At most `limit` calls in `seconds` for everything that shares `key` (hashed before it is stored)."""

    key: str
    limit: int
    seconds: float


class Http:
    """One conversation: reuses its connections, follows no redirects.

    `pace` is given Windows and waits or raises RateLimited; not needed for the few calls that connect an account.
    `exhaust` is given a Window that the platform says is full, whatever was counted here.
    """

    def __init__(
        self, pace: Callable[..., None] = lambda *_: None, exhaust: Callable[[Window], None] = lambda _: None
    ) -> None:
        self.pace, self.exhaust = pace, exhaust
        self._session = BoundedSession()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, PublicTransport())

    def allow(self, origins: Iterable[str]) -> None:
        """Requests to these (`scheme://host:port`) go out wherever they lead: the operator has named them."""
        for origin in origins:
            self._session.mount(f"{origin}/", Transport())

    def request(self, method: str, url: str, *, proxy: str = "", **kwargs: Any) -> Response:
        """As BoundedSession.request. Raises Unavailable, or Refused("forbidden_address") where no request may go.

        Errors that our own body raises while it is read come through unchanged.
        """
        if not url.lower().startswith(("http://", "https://")):
            raise ssrf_guard.refused()
        proxies = {"http": proxy, "https": proxy} if proxy else None
        try:
            response = self._session.request(method, url, proxies=proxies, **kwargs)
            return Response(response.status_code, response.headers, response.content)
        except requests.RequestException as error:
            never_connected = isinstance(_cause(error), (NewConnectionError, ConnectTimeoutError, NameResolutionError))
            raise Unavailable(_describe(error), definitely_not_applied=never_connected) from None
        except (HTTPError, OSError) as error:
            raise Unavailable(_describe(error)) from None


def _cause(error: BaseException) -> BaseException:
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else error
    return inner.reason if isinstance(inner, MaxRetryError) and inner.reason else inner


def _describe(error: Exception) -> str:
    """Only the kind of failure: the text of these exceptions quotes the address."""
    cause = _cause(error)
    log.info("no response", error=type(cause).__name__)
    return next(text for kinds, text in _FAILURES if isinstance(cause, kinds))
