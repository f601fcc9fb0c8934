"""Whose certificates are believed: the usual authorities', and those that the operator has named besides."""

import ssl
from typing import Any

from requests.certs import where
from urllib3.util import create_urllib3_context

_further_pem = ""


def trust_also(pem: str) -> None:
    """For the whole process, from now on; empty for none. Certificates one after the other."""
    global _further_pem
    _further_pem = pem


def pool_options() -> dict[str, Any]:
    """For a pool of urllib3's, whose maker adds the usual authorities, connection by connection."""
    return {"ssl_context": with_further(create_urllib3_context())} if _further_pem else {}


def client_context() -> ssl.SSLContext:
    """As calls of platforms have it."""
    context = create_urllib3_context()
    context.load_verify_locations(where())
    return with_further(context)


def default_context() -> ssl.SSLContext:
    """As Python's own modules have it: with the system's authorities."""
    return with_further(ssl.create_default_context())


def with_further(context: ssl.SSLContext) -> ssl.SSLContext:
    if _further_pem:
        context.load_verify_locations(cadata=_further_pem)
    return context
