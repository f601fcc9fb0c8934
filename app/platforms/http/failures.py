"""Why there is no response, by what `requests` and urllib3 raise."""

import ssl
from enum import StrEnum

import requests
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)


class Failure(StrEnum):
    NO_NAME = "no_name"
    NO_CONNECTION = "no_connection"
    CONNECT_TIMEOUT = "connect_timeout"
    PROXY = "proxy"
    TIMEOUT = "timeout"
    TLS = "tls"
    GARBLED = "garbled"
    BROKEN = "broken"


# The first that fits: some are kinds of those below them.
_FAILURES = (
    (NameResolutionError, Failure.NO_NAME),
    (NewConnectionError, Failure.NO_CONNECTION),
    (ConnectTimeoutError, Failure.CONNECT_TIMEOUT),
    ((ProxyError, requests.exceptions.ProxyError), Failure.PROXY),
    ((TimeoutError, urllib3.exceptions.TimeoutError, requests.Timeout), Failure.TIMEOUT),
    ((ssl.SSLError, SSLError, requests.exceptions.SSLError), Failure.TLS),
    ((DecodeError, requests.exceptions.ContentDecodingError), Failure.GARBLED),
    (Exception, Failure.BROKEN),
)
NEVER_CONNECTED = {Failure.NO_NAME, Failure.NO_CONNECTION, Failure.CONNECT_TIMEOUT}


def cause(error: BaseException) -> BaseException:
    """What lies inside of a library's exception."""
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else error
    return inner.reason if isinstance(inner, MaxRetryError) and inner.reason else inner


def is_untrusted(error: BaseException) -> bool:
    """Whether the other side's certificate could not be verified: nothing was sent to it."""
    inner = cause(error)
    return any(isinstance(one, ssl.SSLCertVerificationError) for one in (inner, *inner.args))


def failure_of(error: BaseException) -> Failure:
    inner = cause(error)
    return next(failure for kinds, failure in _FAILURES if isinstance(inner, kinds))
