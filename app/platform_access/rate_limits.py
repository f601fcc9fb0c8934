"""A platform's rate limits, shared by all workers through Redis.

Several windows are checked together by one script on the server's clock: either every one has room and the call is
counted in all, or nothing is counted and the script returns how long to wait.
"""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import redis
import structlog
from flask import current_app

from app import clock, platforms
from app.platforms.base import Adapter
from app.platforms.errors import Paced
from app.platforms.http.client import Http, Window
from app.redis_client import redis_client

log = structlog.get_logger(__name__)

# A worker sleeps no longer than this; a longer wait goes into the row.
LONGEST_SLEEP = 1.0

# Sliding windows: one sorted set a window, a member a call. Returns the milliseconds to wait, 0 = counted.
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local wait = 0
for i, key in ipairs(KEYS) do
  local limit, length = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - length)
  redis.call('ZREMRANGEBYSCORE', key, '(' .. now, '+inf') -- counted before the server's clock was set back
  if redis.call('ZCARD', key) >= limit then
    local oldest = redis.call('ZRANGE', key, -limit, -limit, 'WITHSCORES')
    wait = math.max(wait, tonumber(oldest[2]) + length - now + 1)
  end
end
if wait == 0 then
  for i, key in ipairs(KEYS) do
    redis.call('ZADD', key, now, ARGV[1] .. i)
    redis.call('PEXPIRE', key, ARGV[2 * i + 1])
  end
end
return wait
"""


class Pacer:
    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._script = client.register_script(_SCRIPT)

    def wait(self, *windows: Window) -> None:
        """Returns once the call may be made. Raises Paced if that is more than a second away.

        Without Redis the call is made: the platform's own 429 is obeyed all the same.
        """
        may_sleep = LONGEST_SLEEP
        while pause := self._pause(windows):
            if pause > may_sleep:
                raise Paced(clock.now() + timedelta(seconds=pause))
            clock.sleep(pause)
            may_sleep -= pause

    def exhaust(self, window: Window) -> None:
        """Counts as many calls as the window has room for: the platform has said that there is none."""
        try:
            left = window.limit - self.used(window)
            while left > 0 and not self._pause((window,)):
                left -= 1
        except redis.RedisError as error:
            log.warning("pacing without redis", error=type(error).__name__)

    def used(self, window: Window) -> int:
        """How many calls were counted in a window that is longer than any of its calls is old. Raises RedisError."""
        return self._redis.zcard(_stored_key(window))

    def _pause(self, windows: tuple[Window, ...]) -> float:
        """Seconds to wait; 0 = the call is counted and may be made."""
        keys = [_stored_key(window) for window in windows]
        bounds = [bound for window in windows for bound in (window.limit, round(window.seconds * 1000))]
        try:
            return self._script(keys=keys, args=[f"{time.time_ns()}:{id(self)}:", *bounds]) / 1000
        except redis.RedisError as error:
            log.warning("pacing without redis", error=type(error).__name__)
            return 0


def _stored_key(window: Window) -> str:
    """Hashed: a window's own key may hold a token."""
    return "pace:" + hashlib.sha256(window.key.encode()).hexdigest()[:32]


def paced_adapter(platform: str) -> Adapter:
    """The platform's adapter as workers use it."""
    pacer = Pacer(redis_client())
    return platforms.adapter(platform, current_app.config, Http(pacer.wait, pacer.exhaust))


@dataclass(frozen=True)
class QuotaLeft:
    """What a platform still takes today of this installation, and when the next day of its begins (UTC)."""

    count: int
    until: datetime


def quotas_left(some: Iterable[str]) -> dict[str, QuotaLeft]:
    """By platform; without those that have no quota, and where it is not known now what is left of it.

    Asks Redis: not while a transaction keeps others waiting.
    """
    now, pacer, found = clock.now(), Pacer(redis_client()), {}
    for platform in set(some):
        if quota := platforms.ADAPTERS[platform].quota(current_app.config):
            try:
                used = pacer.used(quota.window(now))
            except redis.RedisError:
                continue
            found[platform] = QuotaLeft(max(quota.limit - used, 0), quota.ends_at(now))
    return found
