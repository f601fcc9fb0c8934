"""Limits of attempts, counted in Redis: passwords are not to be guessed."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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


def hit(*attempts: tuple[Limit, str]) -> None:
    """Counts an attempt against each limit, before its outcome is known: a thousand at once get no further than
    a thousand in a row. Raises Problem where one is used up.
    """
    for wait in _count(attempts, 1):
        if wait:
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
