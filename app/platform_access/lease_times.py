"""How long a worker may hold a publication, derived from how long one call to a platform may take."""

from datetime import timedelta

from app.platforms.http.timeouts import LONG_RESPONSE_SECONDS, STALL_SECONDS

# Outlasts any single call without progress (connect, a stalled send, a slow response) with time to spare.
LEASE = timedelta(seconds=2 * STALL_SECONDS + 30)
# Beyond the time that the response to a commit may take: connecting, sending, the margin below.
_COMMIT_EXTRA = timedelta(seconds=60)
# A work horse ends itself this long before its lease does; the kernel may still hold bytes of it (TCP_USER_TIMEOUT).
LIFE_MARGIN = timedelta(seconds=25)
# What the clocks of an ended worker and of the database may differ by.
AFTER_DEADLINE = timedelta(seconds=5)


def commit_lease(response_seconds: float) -> timedelta:
    return timedelta(seconds=response_seconds) + _COMMIT_EXTRA


LONGEST_LEASE = commit_lease(LONG_RESPONSE_SECONDS)
