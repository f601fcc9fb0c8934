"""Jobs whose rows decide which of them is next: any wake-up serves any row."""

import time
from collections.abc import Callable

from app import queue
from app.db import reading

# To fork a work horse costs as much as to publish a small clip: it goes on with what else waits, but not for long, for
# its worker has other queues too.
GO_ON_SECONDS = 5.0


def wake(job: str, due: Callable[[], list[int]]) -> None:
    if queue.has_enough(job):
        return
    with reading():
        ids = due()
    if ids:
        queue.enqueue(job, *ids)


def take_turns(take_next: Callable[[], bool], job: str, due: Callable[..., list[int]]) -> None:
    """Until nothing may be taken; what is left after GO_ON_SECONDS wakes another job."""
    began = time.monotonic()
    while take_next():
        if time.monotonic() - began > GO_ON_SECONDS:
            wake(job, lambda: due(limit=1))
            return
