"""Each request has an id: in every line of its log and in its response, so that a user can name it.

The client's address, and the user's id once the session is read, are in these lines too.
"""

import re
import secrets
import time

import structlog
from flask import Flask, Response, g, request

log = structlog.get_logger(__name__)

HEADER = "X-Request-ID"
_GIVEN = re.compile(r"[A-Za-z0-9_.-]{8,64}")
# Too frequent to be of use in a log.
SILENT = ("health.process", "health.ready", "health.metrics", "static", "assets.style_sheet", "assets.scripts")


def register(app: Flask) -> None:
    app.url_value_preprocessor(_begin)  # before a hook can refuse
    app.after_request(_name)
    app.teardown_request(lambda _error: structlog.contextvars.unbind_contextvars("request", "address", "user", "key"))


def _begin(_endpoint: str | None, _values: dict | None) -> None:
    """The id that a proxy in front has given, or a new one."""
    given = request.headers.get(HEADER, "")
    g.request_id = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
    g.began = time.monotonic()
    structlog.contextvars.bind_contextvars(request=g.request_id, address=request.remote_addr)


def _name(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    if request.endpoint not in SILENT:
        log.info(
            "request",
            method=request.method,
            # The rule, not the address: a signed link is a key.
            path=str(request.url_rule or "unknown"),
            ids=request.view_args and {name: one for name, one in request.view_args.items() if isinstance(one, int)},
            status=response.status_code,
            seconds=round(time.monotonic() - g.began, 3),
        )
    return response
