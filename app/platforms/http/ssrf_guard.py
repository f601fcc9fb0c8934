"""Where a request to a host that a platform has named may go: to public addresses, never into our own network."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import structlog

from app.config import Setting, optional_web_address, web_address
from app.platforms.errors import Refused

log = structlog.get_logger(__name__)

# RFC 6052: an IPv4 address inside an IPv6 one, for a translator on the way.
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether it belongs to the internet at large. An IPv4 address inside an IPv6 one is checked itself."""
    one: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(one, IPv6Address):
        translated = IPv4Address(int(one) & 0xFFFFFFFF) if one in _NAT64 else None
        one = translated or one.ipv4_mapped or one.sixtofour or one
    return one.is_global and not one.is_multicast and not one.is_reserved


def refused() -> Refused:
    """To be raised: a request may not go where the platform wants it to."""
    log.warning("an address is refused", refusal="forbidden_address")
    return Refused("forbidden_address")


def own_origins(settings: Iterable[Setting], config: Mapping[str, Any]) -> set[str]:
    """What the operator has named: the addresses in the adapter's settings, and LOCAL_HOSTS, as `scheme://host:port`."""
    named = {
        f"{parts.scheme}://{parts.netloc}"
        for setting in settings
        if setting.parse in (web_address, optional_web_address) and (parts := urlsplit(config[setting.name])).netloc
    }
    local = {f"{scheme}://{host}" for host in config["LOCAL_HOSTS"] for scheme in ("http", "https")}
    return named | local
