"""Large bodies, and responses that are generated while they are read: a thread waits for the client meanwhile.

The server has separate threads for them (app.server.worker). Each user may have a few at once; when all are taken, one
of the user with the most is cut, so that one user's sockets never keep another's clip out. An upload that is cut
continues at its offset.
"""

import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import LengthRequired

from app.db import end_reading
from app.server.connection import SMALL_BODY, Connection
from app.server.worker import TRANSFERS
from app.serving.refusals import Busy

log = structlog.get_logger(__name__)

MOST = TRANSFERS - 8  # those that were cut may still be ending
MOST_PER_USER = 8


@dataclass(eq=False)
class Transfer:
    owner: str
    client: socket.socket | None  # as the server has it; a test client has none


class Transfers:
    """Those of this process, whose threads they share."""

    def __init__(self) -> None:
        self._running: list[Transfer] = []
        self._lock = threading.Lock()

    def begin(self, owner: str, client: socket.socket | None) -> Callable[[], None]:
        """Returns a function to be called at the end, once or more often. Raises Busy."""
        transfer = Transfer(owner, client)
        with self._lock:
            counts = Counter(one.owner for one in self._running)
            if counts[owner] >= MOST_PER_USER:
                log.warning("too many transfers", refusal="limit", limit="transfers")
                raise Busy("too_many_transfers", 429, max=MOST_PER_USER)
            if len(self._running) >= MOST:
                self._cut_one_of(*counts.most_common(1)[0], than=counts[owner])
            self._running.append(transfer)
        return lambda: self._end(transfer)

    def _cut_one_of(self, owner: str, count: int, than: int) -> None:
        if count <= than + 1:
            raise Busy("transfers_busy", 503)
        oldest = next(one for one in self._running if one.owner == owner)
        with suppress(OSError):  # it has ended by itself
            oldest.client.shutdown(socket.SHUT_RDWR)
        self._running.remove(oldest)

    def _end(self, transfer: Transfer) -> None:
        with self._lock, suppress(ValueError):
            self._running.remove(transfer)


def register(app: Flask) -> None:
    app.extensions["transfers"] = Transfers()
    app.after_request(_name_owner)
    app.after_request(_begin_stream)
    app.teardown_request(_end_large_body)


def begin(owner: Callable[[], str | None]) -> None:
    """Before anything reads the body: the CSRF check parses a form. `owner` is asked only where the body is large; None
    is a client that is not known.
    """
    has_no_end = "Transfer-Encoding" in request.headers
    if not has_no_end and (request.content_length or 0) <= SMALL_BODY:
        return  # the server has received it already
    known = owner()
    if known is None:
        request.max_content_length = SMALL_BODY
        if has_no_end:
            raise LengthRequired
        return
    end_reading()  # the form may take long: no connection, and on SQLite no write lock, is held meanwhile
    g.end_transfer = _begin(known)


def belongs_to(owner: str | None) -> None:
    """The response is this user's: the server bounds the unread responses of each."""
    g.response_owner = owner


def _end_large_body(_error: BaseException | None) -> None:
    if end := g.pop("end_transfer", None):
        end()


def _name_owner(response: Response) -> Response:
    client = request.environ.get("gunicorn.socket")
    if isinstance(client, Connection):
        client.owner = g.get("response_owner")
    return response


def _begin_stream(response: Response) -> Response:
    """A file is sent without a thread (`direct_passthrough`); a page is complete already."""
    if response.direct_passthrough or not response.is_streamed or request.method == "HEAD":
        return response
    try:
        response.call_on_close(_begin(g.get("response_owner") or request.path))
    except Busy as error:
        response.close()
        return current_app.make_response(current_app.handle_user_exception(error))
    return response


def _begin(owner: str) -> Callable[[], None]:
    transfers: Transfers = current_app.extensions["transfers"]
    return transfers.begin(owner, request.environ.get("gunicorn.socket"))
