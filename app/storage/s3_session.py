"""The HTTP session of a bucket's client: one deadline for each request, and for each block of a file that comes in.

botocore's own time-outs are per read, and it takes the body of an error whole.
"""

import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.awsrequest import AWSHTTPConnectionPool, AWSHTTPSConnectionPool, AWSPreparedRequest, AWSResponse
from botocore.exceptions import BotoCoreError, HTTPClientError
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import HTTPError

from app.outgoing import trust
from app.outgoing.connections import ResolvingConnection, WatchedConnection
from app.outgoing.deadline import SLOWEST_BYTES_A_SECOND, Deadline

T = TypeVar("T")

# Of an answer that is no file: an error, what a part was stored as.
MAX_ANSWER_BYTES = 1 << 20
# A bucket puts a file of many parts together before it responds.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
_LONG_SECONDS = {"CompleteMultipartUpload": 180}


class DeadlinePassed(HTTPClientError):
    """For the client one of those after which it tries again."""

    fmt = "No answer from {endpoint_url} by the deadline"


class _Connection(ResolvingConnection, WatchedConnection):
    def getresponse(self) -> Any:
        connected = self.sock  # http.client closes it where the response is the last one
        response = super().getresponse()
        response.connected = connected
        return response


def _pool(of: type) -> type:
    return type("_Pool", (of,), {"ConnectionCls": type("_Connection", (_Connection, of.ConnectionCls), {})})


class BoundedSession(URLLib3Session):
    """`seconds`: for a request and its answer. The bytes of a file have a time of their own on top, both ways."""

    def __init__(self, seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._seconds = seconds
        # The dict that its managers share, of proxies too.
        self._pool_classes_by_scheme.update(http=_pool(AWSHTTPConnectionPool), https=_pool(AWSHTTPSConnectionPool))

    def _get_ssl_context(self) -> ssl.SSLContext:
        """What `verify` names is added to it."""
        return trust.with_further(super()._get_ssl_context())

    def respond(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        """For the client's event `before-send`, whose result it takes for the response. Raises BotoCoreError."""
        # botocore waits for the answer to it in a loop that it does not leave when the connection ends.
        request.headers.pop("Expect", None)
        operation = event_name.rpartition(".")[2]
        to_send = int(request.headers.get("Content-Length") or 0)
        seconds = _LONG_SECONDS.get(operation, self._seconds) + to_send / SLOWEST_BYTES_A_SECOND
        return _by(seconds, request.url, lambda _deadline: self._respond(request))

    def _respond(self, request: AWSPreparedRequest) -> AWSResponse:
        is_file, request.stream_output = request.stream_output, True
        response = self.send(request)
        if is_file and response.status_code < 300:
            response.raw = _File(response.raw, response.url, self._seconds)
            return response
        body = response.raw.read(MAX_ANSWER_BYTES + 1)
        if len(body) > MAX_ANSWER_BYTES:
            response.raw.close()
            raise HTTPClientError(error="an answer that does not end")
        response._content = body  # there is no public way to say what a body is that was read elsewhere
        return response


class _File:
    """The body of a response, of which each block has a deadline."""

    def __init__(self, raw: Any, url: str, seconds: float) -> None:
        self._raw, self._url, self._seconds = raw, url, seconds
        # The connection's own may be closed or go to another request meanwhile.
        self._connected = socket.socket(fileno=os.dup(raw.connected.fileno()))

    def read(self, amount: int) -> bytes:
        def read(deadline: Deadline) -> bytes:
            deadline.watch(self._connected)
            return self._raw.read(amount)

        return _by(self._seconds + amount / SLOWEST_BYTES_A_SECOND, self._url, read)

    def close(self) -> None:
        self._connected.close()
        self._raw.close()


def _by(seconds: float, url: str, ask: Callable[[Deadline], T]) -> T:
    """What `ask` returns. Raises DeadlinePassed where it was too late, also where it seems to have all."""
    with Deadline(seconds) as deadline:
        try:
            got = ask(deadline)
        except (BotoCoreError, HTTPError, OSError):
            if not deadline.has_passed:
                raise
        if not deadline.has_passed:
            return got
    raise DeadlinePassed(endpoint_url=url)
