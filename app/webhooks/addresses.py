"""Where a webhook may be: at public addresses, over https. LOCAL_HOSTS are the operator's exceptions."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests

from app.models import Webhook
from app.outgoing.connections import resolve
from app.outgoing.deadline import Deadline
from app.platforms.http import ssrf_guard
from app.problems import Problem

MAX_LENGTH = Webhook.url.type.impl.length
# A unit of work waits for it. A name server that takes longer is asked again at each delivery.
_RESOLVE_SECONDS = 1


def local_origins(config: Mapping[str, Any]) -> set[str]:
    return ssrf_guard.own_origins((), config)


def checked(typed: str, local: set[str]) -> str:
    """The address as it is called. Raises Problem at the field «url».

    Names are resolved, and refused where one leads into a private network; each delivery checks that again.
    """
    url = _normal(typed.strip())
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise Problem("webhook_address_with_password", "url")
    if f"{parts.scheme}://{parts.netloc}" in local:
        return url
    if parts.scheme != "https":
        raise Problem("webhook_address_not_https", "url")
    if not all(map(ssrf_guard.is_public, _addresses(parts.hostname, parts.port or 443))):
        ssrf_guard.refused()  # for the log
        raise Problem("webhook_address_private", "url")
    return url


def _normal(typed: str) -> str:
    """As it stands in the request: with a host name in ASCII, and a path."""
    if not typed:
        raise Problem("webhook_address_missing", "url")
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(typed, None)
        parts = urlsplit(prepared.url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and prepared.url.isascii()
    except (requests.RequestException, ValueError):
        usable = False
    if not usable:
        raise Problem("webhook_address_invalid", "url")
    if len(prepared.url) > MAX_LENGTH:
        raise Problem("webhook_address_too_long", "url", max=MAX_LENGTH)
    return parts._replace(fragment="").geturl()


def _addresses(host: str, port: int) -> list[str]:
    """None at all where the name servers are away. Raises Problem for a name that does not exist."""
    with suppress(TimeoutError), Deadline(_RESOLVE_SECONDS):
        try:
            return resolve(host, port)
        except UnicodeError:
            raise Problem("webhook_address_invalid", "url") from None
        except socket.gaierror as error:
            if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
                raise Problem("webhook_host_unknown", "url") from None
    return []
