"""One request to a receiver: bounded in time and size, to public addresses only, without redirects."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import requests
import structlog
from urllib3.exceptions import HTTPError

from app.observability import redact
from app.outgoing.connections import CONNECT_SECONDS
from app.outgoing.deadline import Deadline
from app.platforms.errors import Refused
from app.platforms.http.failures import Failure, cause, failure_of
from app.platforms.http.response import read_body, retry_at
from app.platforms.http.transport import PublicTransport, Transport

log = structlog.get_logger(__name__)

# The whole of it: name, connection, request, response.
SECONDS = 15
MAX_BYTES = 64 << 10
MAX_EXCERPT = 500
GONE = 410
_NO_PAUSE = 0.0
_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "Vezde-Webhooks/1.0",
    "Accept-Encoding": "identity",  # nothing is unpacked
    "Connection": "close",
}


@dataclass(frozen=True)
class Message:
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Outcome:
    """`status`: of the response, if there was one; `error`: a key of texts.webhooks.ERRORS, None for a success.

    `retry_at`: not before, where the receiver asks for it.
    """

    took_ms: int
    status: int | None = None
    error: str | None = None
    excerpt: str = ""
    retry_at: datetime | None = None


def send(message: Message, local_origins: Iterable[str]) -> Outcome:
    """`local_origins`: where a private address is meant. A session of its own: no cookie reaches another receiver."""
    began = time.monotonic()
    response, error, excerpt = None, None, b""
    with requests.Session() as session:
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, PublicTransport())
        for origin in local_origins:
            session.mount(f"{origin}/", Transport())
        try:
            with Deadline(SECONDS) as deadline:
                response = session.post(
                    message.url,
                    data=message.body,
                    headers={**_HEADERS, **message.headers},
                    timeout=(CONNECT_SECONDS, SECONDS),
                    allow_redirects=False,
                    stream=True,
                )
                if deadline.has_passed:  # headers without an end look complete once the socket is shut down
                    response = None
                    raise TimeoutError
                # What it says is only shown: a response whose body does not end is one.
                with suppress(requests.RequestException, HTTPError, OSError):
                    excerpt = read_body(response, SECONDS, MAX_BYTES)
        except Refused as refusal:
            error = refusal.reason
        except (requests.RequestException, HTTPError, OSError, ValueError) as failure:
            log.info("no response", error=type(cause(failure)).__name__)
            error = Failure.TIMEOUT if deadline.has_passed else failure_of(failure)
    took_ms = round(1000 * (time.monotonic() - began))
    if response is None:
        return Outcome(took_ms, error=error)
    return _answered(response, took_ms, excerpt)


def _answered(response: requests.Response, took_ms: int, body: bytes) -> Outcome:
    status = response.status_code
    error = None if 200 <= status < 300 else "redirect" if 300 <= status < 400 else "status"
    later = response.headers.get("Retry-After") if status in (429, 503) else None
    return Outcome(
        took_ms,
        status,
        error,
        redact.text(body[: 4 * MAX_EXCERPT].decode("utf-8", "replace"))[:MAX_EXCERPT],
        retry_at(later, _NO_PAUSE) if later else None,
    )
