"""Who may talk to the sandbox: programs of this machine, and its own pages in a browser.

A foreign page in the same browser must neither read it under a name of its own (DNS rebinding) nor press its buttons:
browsers name the page that sends a request in Origin and Sec-Fetch-Site, which a page cannot change.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from werkzeug.wrappers import Response

NAMES = frozenset(("127.0.0.1", "localhost", "[::1]"))
READING = ("GET", "HEAD", "OPTIONS")
OWN = ("same-origin", "none")  # none: the address bar

_HOST = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")


class Guard:
    """WSGI middleware in front of everything, the emulated platforms too: their consent pages have buttons."""

    def __init__(self, app: Callable, base_url: str | None) -> None:
        self._app = app
        self._names = NAMES | ({urlsplit(base_url).hostname} if base_url else set())

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        if not self._is_known(environ.get("HTTP_HOST", "")):
            return _refuse(
                "The sandbox has no such name: open it as http://127.0.0.1 with its port.", environ, start_response
            )
        if _drives(environ) and _is_foreign(environ):
            return _refuse("Another site's page may not drive the sandbox.", environ, start_response)
        return self._app(environ, start_response)

    def _is_known(self, host: str) -> bool:
        match = _HOST.fullmatch(host.lower())
        return match is not None and match[1] in self._names


def _drives(environ: dict[str, Any]) -> bool:
    return environ["REQUEST_METHOD"] not in READING or environ["PATH_INFO"].startswith("/control/")


def _is_foreign(environ: dict[str, Any]) -> bool:
    """Programs send neither header."""
    origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE", "none")
    own_origin = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}"
    return site not in OWN or origin not in (None, own_origin)


def _refuse(text: str, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
    return Response(text, 403, content_type="text/plain; charset=utf-8")(environ, start_response)
