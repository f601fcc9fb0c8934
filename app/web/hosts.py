"""Only known names of the site are served: a page that points a name of its own here (DNS rebinding) gets nothing."""

import re
from collections.abc import Callable, Iterable

import structlog
from flask import Flask, Response

from app.config import LOOPBACK_NAMES, host_of, is_loopback

log = structlog.get_logger(__name__)

# Plain: from under that name the page's styles would be refused too.
REFUSAL = (
    "Сайт не узнаёт адрес, по которому его открыли. Откройте «Везде» по его обычному адресу.\n"
    "Администратору: другие имена сайта называет настройка EXTRA_HOSTS.\n"
)
# A PaaS asks an address without a name whether the process lives: that says nothing but ok.
FOR_ANY_HOST = "/healthz"

_HOST = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")


def register(app: Flask) -> None:
    """The last of all: in front of static files and of every hook.

    Known are the host of PUBLIC_URL and EXTRA_HOSTS; where the first is this machine, each of its names. Ports are not
    compared: a tunnel or a container has others.
    """
    public = host_of(app.config["PUBLIC_URL"])
    loopback = LOOPBACK_NAMES if is_loopback(public) else ()
    app.wsgi_app = KnownHosts(app, frozenset((public, *loopback, *app.config["EXTRA_HOSTS"])))


class KnownHosts:
    def __init__(self, app: Flask, known: frozenset[str]) -> None:
        self._app = app
        self._served = app.wsgi_app
        self._known = known

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        host = _HOST.fullmatch(environ.get("HTTP_HOST", "").lower())
        if (host and host[1] in self._known) or environ["PATH_INFO"] == FOR_ANY_HOST:
            return self._served(environ, start_response)
        with self._app.app_context():  # to be counted
            method, peer = environ["REQUEST_METHOD"], environ.get("REMOTE_ADDR")
            log.warning("unknown host refused", refusal="host", method=method, peer=peer)
        refusal = Response(
            REFUSAL, 400, {"X-Content-Type-Options": "nosniff"}, content_type="text/plain; charset=utf-8"
        )
        return refusal(environ, start_response)
