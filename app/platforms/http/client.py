"""HTTP towards the platforms: constant memory, bounded waits, and exceptions that never carry an address.

An address can hold a token (Telegram's does), so `requests`' exceptions, which quote it, are replaced here.
Requests go to hosts that the operator has named, wherever they are, and to hosts that platforms name (upload addresses)
at public addresses only.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog
from urllib3.exceptions import HTTPError

from app.platforms.errors import Unavailable, Untrusted
from app.platforms.http import ssrf_guard
from app.platforms.http.failures import NEVER_CONNECTED, Failure, cause, failure_of, is_untrusted
from app.platforms.http.response import Response
from app.platforms.http.session import BoundedSession
from app.platforms.http.transport import PublicTransport, Transport

log = structlog.get_logger(__name__)

_FAILURES = {
    Failure.NO_NAME: "адрес площадки не найден",
    Failure.NO_CONNECTION: "площадка не принимает соединения",
    Failure.CONNECT_TIMEOUT: "площадка не приняла соединение вовремя",
    Failure.PROXY: "прокси не отвечает",
    Failure.TIMEOUT: "ответ не пришёл вовремя",
    Failure.TLS: "защищённое соединение не установилось",
    Failure.GARBLED: "ответ пришёл испорченным",
    Failure.BROKEN: "соединение оборвалось",
}


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
        """As BoundedSession.request. Raises Unavailable, Untrusted, or Refused("forbidden_address") where none may go.

        Errors that our own body raises while it is read come through unchanged.
        """
        if not url.lower().startswith(("http://", "https://")):
            raise ssrf_guard.refused()
        proxies = {"http": proxy, "https": proxy} if proxy else None
        try:
            response = self._session.request(method, url, proxies=proxies, **kwargs)
            return Response(response.status_code, response.headers, response.content)
        except requests.RequestException as error:
            if is_untrusted(error):
                log.error("a certificate is not trusted: see EXTRA_CA_FILE", host=urlsplit(url).hostname)
                raise Untrusted from None
            never_connected = failure_of(error) in NEVER_CONNECTED
            raise Unavailable(_describe(error), definitely_not_applied=never_connected) from None
        except (HTTPError, OSError) as error:
            raise Unavailable(_describe(error)) from None


def _describe(error: Exception) -> str:
    """Only the kind of failure: the text of these exceptions quotes the address."""
    log.info("no response", error=type(cause(error)).__name__)
    return _FAILURES[failure_of(error)]
