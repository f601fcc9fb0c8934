"""Limits of attempts, counted in Redis: passwords are not to be guessed."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address

import redis
import structlog

from app.problems import Problem
from app.redis_client import redis_client

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Limit:
    """At most `times` attempts of one subject (an e-mail, an address) in `seconds`."""

    name: str
    times: int
    seconds: int

    def key(self, subject: str) -> str:
        """A digest: Redis holds no e-mails and no addresses."""
        return f"attempts:{self.name}:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"


def network_of(address: str) -> str:
    """What one client can hardly leave: the IPv4 address, or of IPv6 the /64, in which a client has all addresses."""
    try:
        one = ip_address(address.partition("%")[0])
    except ValueError:
        return address  # of a Unix socket, or of a proxy that hands on something else
    if isinstance(one, IPv4Address):
        return str(one)
    return str(one.ipv4_mapped or IPv6Network((one, 64), strict=False))


def hit(*attempts: tuple[Limit, str]) -> None:
    """Counts an attempt against each limit, before its outcome is known: a thousand at once get no further than
    a thousand in a row. Raises Problem where one is used up.
    """
    for (limit, _), wait in zip(attempts, _count(attempts, 1), strict=False):
        if wait:
            log.warning("too many attempts", refusal="limit", limit=limit.name)
            raise Problem("too_many_attempts", minutes=max(1, round(wait / 60)))


def release(*attempts: tuple[Limit, str]) -> None:
    """The attempt succeeded: it does not count."""
    list(_count(attempts, -1))


def _count(attempts: Iterable[tuple[Limit, str]], step: int) -> Iterator[int]:
    """Of each limit the seconds to wait; 0 where the attempt may be made.

    Without Redis nothing is limited: a user who knows the password must get in.
    """
    try:
        for limit, subject in attempts:
            key, pipeline = limit.key(subject), redis_client().pipeline()
            pipeline.incr(key, step)
            pipeline.expire(key, limit.seconds, lt=True)  # never later, unless a clock was set back meanwhile
            pipeline.ttl(key)
            count, _, seconds_left = pipeline.execute()
            yield max(seconds_left, 1) if count > limit.times else 0
    except redis.RedisError as error:
        log.warning("attempts are not counted", error=type(error).__name__)
