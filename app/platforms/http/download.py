"""A file from an address that a user has given: streamed, and bounded in size, time and places.

Every hop of a redirect goes to public addresses only, or to LOCAL_HOSTS; never from https to http. What comes is taken
as it is: a packed body is refused, since a few bytes can unpack to gigabytes.
"""

import re
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import requests
import structlog
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, SSLError
from werkzeug.http import parse_options_header

from app.outgoing.connections import CONNECT_SECONDS
from app.outgoing.deadline import SLOWEST_BYTES_A_SECOND, Deadline
from app.platforms.errors import RateLimited, Refused, Unavailable
from app.platforms.http.failures import cause
from app.platforms.http.response import retry_at
from app.platforms.http.timeouts import RESPONSE_SECONDS, STALL_SECONDS
from app.platforms.http.transport import PublicTransport, Transport

log = structlog.get_logger(__name__)

MAX_REDIRECTS = 5
BLOCK_BYTES = 256 << 10
MAX_ADDRESS = 4000
# All hops before the last one: a worker's lease outlasts them.
_FOLLOW_SECONDS = 60
_REDIRECTS = (301, 302, 303, 307, 308)
# A server that says these may say something else in a minute.
_PASSING = (408, 409, 421, 423, 425, 429)
_PAUSE_SECONDS = 60.0
_FINAL = {
    400: "import_refused",
    401: "import_denied",
    403: "import_denied",
    404: "import_not_found",
    410: "import_not_found",
}
# The first that fits: some are kinds of those below them.
_FAILURES = (
    (NameResolutionError, "адрес сайта не найден"),
    ((NewConnectionError, ConnectTimeoutError), "сайт не принимает соединения"),
    ((ssl.SSLError, SSLError, requests.exceptions.SSLError), "защищённое соединение не установилось"),
    ((TimeoutError, requests.Timeout), "ответ не пришёл вовремя"),
    (Exception, "соединение оборвалось"),
)
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class Restart(Exception):
    """The server has another file by now, or no part of it: what has come is of no use."""


class Incoming:
    """A response whose body has not been read. `total`: the whole file's bytes, where the server says."""

    def __init__(self, response: requests.Response, deadline: Deadline, offset: int, total: int | None) -> None:
        self._response, self._deadline = response, deadline
        self.offset, self.total = offset, total
        self.validator = _validator(response)
        self.file_name = _file_name(response)

    def blocks(self) -> Iterator[bytes]:
        """Up to the end of the body. Raises Unavailable where it is cut, stalls, or comes too slowly."""
        began, received = time.monotonic(), 0
        while True:
            with _failures(self._deadline):
                self._deadline.renew(STALL_SECONDS)
                block = self._response.raw.read1(BLOCK_BYTES, decode_content=False)
            if not block:
                break
            received += len(block)
            if time.monotonic() - began > STALL_SECONDS + received / SLOWEST_BYTES_A_SECOND:
                raise Unavailable("файл идёт слишком медленно")
            yield block
        if self.total is not None and self.offset + received < self.total:
            raise Unavailable("соединение оборвалось")


def refuse_address(url: str) -> str | None:
    """The reason why no request goes to it, by the looks of it; None where one may."""
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        return "import_address"
    if parts.scheme not in ("http", "https") or not parts.hostname or len(url) > MAX_ADDRESS or not url.isprintable():
        return "import_address"
    return "import_credentials" if "@" in parts.netloc else None


@contextmanager
def download(
    url: str, local_origins: Iterable[str], *, offset: int = 0, validator: str | None = None
) -> Iterator[Incoming]:
    """The file from `offset` on, if it is still the one of `validator`, or from its beginning: see `Incoming.offset`.

    Raises Restart, Refused, RateLimited, or Unavailable.
    """
    resumes = bool(offset and validator)
    headers = {"Accept": "video/*, application/octet-stream;q=0.9, */*;q=0.5", "Accept-Encoding": "identity"}
    if resumes:
        headers |= {"Range": f"bytes={offset}-", "If-Range": validator}
    with Deadline(CONNECT_SECONDS + RESPONSE_SECONDS) as deadline, requests.Session() as session:
        session.trust_env = False  # neither proxies nor passwords of the machine's environment
        for scheme in ("http://", "https://"):
            session.mount(scheme, PublicTransport())
        for origin in local_origins:
            session.mount(f"{origin}/", Transport())
        with _failures(deadline):
            response = _follow(session, url, headers, deadline)
        try:
            start, total = _expect(response, offset if resumes else 0, validator)
            yield Incoming(response, deadline, start, total)
        finally:
            response.close()


def _follow(session: requests.Session, url: str, headers: dict[str, str], deadline: Deadline) -> requests.Response:
    bounds: dict[str, Any] = {
        "timeout": (CONNECT_SECONDS, RESPONSE_SECONDS),
        "allow_redirects": False,
        "stream": True,
    }
    began = time.monotonic()
    for _ in range(MAX_REDIRECTS + 1):
        if time.monotonic() - began > _FOLLOW_SECONDS:
            raise Unavailable("ответ не пришёл вовремя")
        if reason := refuse_address(url):
            raise Refused("import_forbidden_address" if reason == "import_credentials" else reason)
        deadline.renew(CONNECT_SECONDS + RESPONSE_SECONDS)
        try:
            response = session.get(url, headers=headers, **bounds)
        except Refused as error:
            log.warning("an import is refused", refusal="forbidden_address")
            raise Refused("import_forbidden_address") from error
        target = session.get_redirect_target(response) if response.status_code in _REDIRECTS else None
        if target is None:
            return response
        response.close()
        before, url = url, urljoin(url, target)
        if before.startswith("https:") and not url.startswith("https:"):
            raise Refused("import_insecure_redirect")
    raise Refused("import_redirects")


def _expect(response: requests.Response, offset: int, validator: str | None) -> tuple[int, int | None]:
    """Where the body begins in the file, and the whole file's size. Raises what an unfit status or header means."""
    status = response.status_code
    if status == 416 and offset:
        raise Restart
    if status == 429 or (status == 503 and "Retry-After" in response.headers):
        raise RateLimited(retry_at(response.headers.get("Retry-After"), _PAUSE_SECONDS), f"HTTP {status}")
    if status >= 500 or status in _PASSING:
        raise Unavailable(f"HTTP {status}")
    if status not in (200, 206):
        raise Refused(_FINAL.get(status, "import_refused"), f"HTTP {status}")
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise Refused("import_packed")
    length = response.headers.get("Content-Length", "")
    size = int(length) if re.fullmatch(r"\d{1,18}", length) and "Transfer-Encoding" not in response.headers else None
    if status == 200:
        return 0, size
    found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if not offset or not found or int(found[1]) != offset or _validator(response) not in (None, validator):
        raise Restart
    total = None if found[3] == "*" else int(found[3])
    if total is not None and (int(found[2]) != total - 1 or size not in (None, total - offset)):
        raise Restart
    return offset, total


def _validator(response: requests.Response) -> str | None:
    """A strong ETag, or the date of the last change: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5"""
    etag = response.headers.get("ETag", "")
    if re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', etag):
        return etag
    changed = response.headers.get("Last-Modified", "")
    return changed if re.fullmatch(r"[A-Za-z0-9 ,:]{20,40}", changed) else None


def _file_name(response: requests.Response) -> str:
    """By the server's word (https://www.rfc-editor.org/rfc/rfc6266), or the address's last part; only to be shown."""
    given = response.headers.get("Content-Disposition", "")
    try:
        given = given.encode("latin-1").decode()  # headers come as Latin-1, but many servers write UTF-8
    except UnicodeError:
        log.debug("a file's name is in no UTF-8")
    _, options = parse_options_header(given)
    return options.get("filename") or unquote(urlsplit(response.url).path.rstrip("/").rpartition("/")[2])


@contextmanager
def _failures(deadline: Deadline) -> Iterator[None]:
    """As Unavailable, without the address, which may hold a key."""
    try:
        yield
    except (requests.RequestException, HTTPError, OSError) as error:
        inner = TimeoutError() if deadline.has_passed else cause(error)
        log.info("an import gets no answer", error=type(inner).__name__)
        raise Unavailable(next(text for kinds, text in _FAILURES if isinstance(inner, kinds))) from None
    if deadline.has_passed:  # a body without a length ends as if it were complete
        raise Unavailable("ответ не пришёл вовремя")
