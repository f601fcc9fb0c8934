"""How often somebody may try before they have to wait: passwords are not to be guessed."""

import hashlib
from dataclasses import dataclass

import redis
import structlog

from app.problems import Problem
from app.redis_client import redis_client

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Limit:
    """At most `times` of `what` by one person, account or address in `seconds`."""

    what: str
    times: int
    seconds: int

    def key(self, whose: str) -> str:
        """A digest: who tried to sign in is nobody's business who can look into Redis."""
        return f"attempts:{self.what}:{hashlib.sha256(whose.encode()).hexdigest()[:32]}"


def hit(*attempts: tuple[Limit, str]) -> None:
    """Counts an attempt against each limit, before its outcome is known: a thousand at once get no further than
    a thousand in a row. Raises Problem where one is used up. Without Redis everybody may try: a person who knows the
    password must get in.
    """
    try:
        for limit, whose in attempts:
            wait = _count(limit, limit.key(whose))
            if wait:
                minutes = max(1, round(wait / 60))
                raise Problem(f"Слишком много попыток. Попробуйте через {minutes} мин.")
    except redis.RedisError as error:
        log.warning("attempts are not counted", error=type(error).__name__)


def release(*attempts: tuple[Limit, str]) -> None:
    """The attempt succeeded: it does not count."""
    try:
        for limit, whose in attempts:
            _count(limit, limit.key(whose), -1)
    except redis.RedisError as error:
        log.warning("attempts are not counted", error=type(error).__name__)


def _count(limit: Limit, key: str, step: int = 1) -> int:
    """Seconds to wait; 0 where the attempt may be made."""
    pipeline = redis_client().pipeline()
    pipeline.incr(key, step)
    pipeline.expire(key, limit.seconds, lt=True)  # never later than it stands, unless a clock was set back meanwhile
    pipeline.ttl(key)
    count, _, seconds_left = pipeline.execute()
    return max(seconds_left, 1) if count > limit.times else 0
