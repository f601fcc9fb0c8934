"""When a publication goes out, as programs say it: `{"kind": "now"}`, `at`, `after` or `slot`.

The same dictionary is sent by the API, kept by rules and announced clips, and resolved when the publication is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app import clock
from app.models import User, WhenKind, lock_plan
from app.problems import NotFound, Problem
from app.services import due_times, slots

AT_ONCE = {"kind": WhenKind.NOW}
MAX_MINUTES = due_times.MAX_AHEAD.days * 24 * 60


@dataclass(frozen=True)
class Due:
    """`due_at` (UTC) None: at once. `slot_id`: the slot in which it waits."""

    due_at: datetime | None = None
    slot_id: int | None = None


def at(moment: datetime) -> dict[str, Any]:
    return {"kind": WhenKind.AT, "at": moment.astimezone(UTC).isoformat().replace("+00:00", "Z")}


def resolve(user: User, when: Mapping[str, Any]) -> Due:
    """What it means now. A slot is the next free one of the set; it is held until the transaction ends.

    Raises NotFound; Problem where there is no free slot. Whether the time may be chosen is checked later.
    """
    kind = when["kind"]
    if kind == WhenKind.AT:
        return Due(datetime.fromisoformat(when["at"]))
    if kind == WhenKind.AFTER:
        return Due(clock.now() + timedelta(minutes=when["minutes"]))
    if kind == WhenKind.SLOT:
        lock_plan(user.id)
        free = slots.next_free(user, when["set_id"], 1)
        if not free:
            raise Problem("no_free_slot", "when")
        return Due(free[0].due_at, free[0].slot_id)
    return Due()


def resolve_many(user: User, wishes: Sequence[tuple[int, Mapping[str, Any]]]) -> list[Due | Problem | NotFound]:
    """The same for many clips at once, each with its id: clips of one set take its free slots in their order, and all
    that is wished of one clip there is in the same slot.
    """
    wanted: dict[int, list[int]] = {}  # clips by set
    for clip_id, when in wishes:
        if when["kind"] == WhenKind.SLOT:
            wanted.setdefault(when["set_id"], []).append(clip_id)
    found: dict[tuple[int, int], Due | Problem | NotFound] = {}
    if wanted:
        lock_plan(user.id)
    for set_id, some in wanted.items():
        for clip_id, due in zip(ids := list(dict.fromkeys(some)), _free(user, set_id, len(ids)), strict=True):
            found[set_id, clip_id] = due
    return [
        found[when["set_id"], clip_id] if when["kind"] == WhenKind.SLOT else resolve(user, when)
        for clip_id, when in wishes
    ]


def _free(user: User, set_id: int, count: int) -> list[Due | Problem | NotFound]:
    try:
        free = slots.next_free(user, set_id, count)
    except NotFound as refusal:
        return [refusal] * count
    missing = [Problem("no_free_slot", "when") for _ in range(count - len(free))]
    return [*(Due(one.due_at, one.slot_id) for one in free), *missing]
