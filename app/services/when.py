"""When a publication goes out, as programs say it: `{"kind": "now"}`, `at`, `after` or `slot`.

The same dictionary is sent by the API, kept by rules and announced clips, and resolved when the publication is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app import clock
from app.models import User, lock_plan
from app.problems import Problem
from app.services import due_times, slots

NOW, AT, AFTER, SLOT = "now", "at", "after", "slot"
KINDS = (NOW, AT, AFTER, SLOT)
MAX_MINUTES = due_times.MAX_AHEAD.days * 24 * 60


@dataclass(frozen=True)
class Due:
    """`due_at` (UTC) None: at once. `slot_id`: the slot in which it waits."""

    due_at: datetime | None = None
    slot_id: int | None = None


def at(moment: datetime) -> dict[str, Any]:
    return {"kind": AT, "at": moment.astimezone(UTC).isoformat().replace("+00:00", "Z")}


def resolve(user: User, when: Mapping[str, Any]) -> Due:
    """What it means now. A slot is the next free one of the set; it is held until the transaction ends.

    Raises NotFound; Problem where there is no free slot. Whether the time may be chosen is checked later.
    """
    kind = when["kind"]
    if kind == AT:
        return Due(datetime.fromisoformat(when["at"]))
    if kind == AFTER:
        return Due(clock.now() + timedelta(minutes=when["minutes"]))
    if kind == SLOT:
        lock_plan(user.id)
        free = slots.next_free(user, when["set_id"], 1)
        if not free:
            raise Problem("no_free_slot", "when")
        return Due(free[0].due_at, free[0].slot_id)
    return Due()
