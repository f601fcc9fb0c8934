"""Reads `when` of announcements, which come from programs, signals and files: see `when`.

{"kind": "now"}, {"kind": "at", "at": "2026-11-28T10:00:00+03:00"}, {"kind": "after", "minutes": 30} or
{"kind": "slot", "set_id": 7}.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from app import clock
from app.models import User, WhenKind
from app.problems import NotFound, Problem
from app.services import account_sets, due_times
from app.services import when as times

# What a due time must be ahead of the moment at which it is checked.
_MARGIN = timedelta(seconds=10)
_FIELDS = {WhenKind.NOW: set(), WhenKind.AT: {"at"}, WhenKind.AFTER: {"minutes"}, WhenKind.SLOT: {"set_id"}}


@dataclass(frozen=True)
class When:
    """`at`: UTC. `set_id`: of the set whose slots are meant; None: of the rule's own."""

    kind: WhenKind
    at: datetime | None = None
    minutes: int | None = None
    set_id: int | None = None

    def stored(self) -> dict[str, Any]:
        """As JSON; `parse` reads it."""
        given: dict[str, Any] = {"at": self.at and self.at.isoformat(), "minutes": self.minutes, "set_id": self.set_id}
        return {"kind": str(self.kind)} | {name: value for name, value in given.items() if value is not None}


NOW = When(WhenKind.NOW)


def parse(user: User, value: Any, field: str = "when") -> When:
    """Raises Problem at the field; whether a time is far enough ahead shows when it is used."""
    when = read(value, field)
    if when.kind == WhenKind.SLOT:
        try:
            account_set = account_sets.get(user, when.set_id or 0)
        except NotFound:
            raise Problem("when_set_unknown", field) from None
        if not account_set.slots:
            raise Problem("rule_set_without_slots", field)
    return when


def read(value: Any, field: str = "when") -> When:
    """The same without a look at what it names."""
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if not isinstance(kind, str) or kind not in list(WhenKind) or set(value) != {"kind"} | _FIELDS[WhenKind(kind)]:
        raise Problem("when_malformed", field)
    kind = WhenKind(kind)
    if kind == WhenKind.AT:
        return When(kind, at=moment(value["at"], field))
    if kind == WhenKind.AFTER:
        return When(kind, minutes=check_minutes(value["minutes"], field, 0, times.MAX_MINUTES))
    if kind == WhenKind.SLOT:
        if not _is_number(value["set_id"]):
            raise Problem("when_malformed", field)
        return When(kind, set_id=value["set_id"])
    return NOW


def moment(value: Any, field: str) -> datetime:
    """UTC of an RFC 3339 time. Raises Problem at the field."""
    try:
        read_at = datetime.fromisoformat(value)
        if read_at.tzinfo is None:
            raise Problem("time_without_zone", field)
        return read_at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise Problem("time_malformed", field) from None


def check_minutes(value: Any, field: str, least: int, most: int) -> int:
    """Raises Problem at the field."""
    if not _is_number(value) or not least <= value <= most:
        raise Problem("when_minutes_malformed", field, min=least, max=most)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def later(since: datetime, minutes: int) -> datetime:
    """So many minutes since then, and as far ahead as a due time must be: a whole minute, as all due times are."""
    at = max(since + timedelta(minutes=minutes), clock.now() + due_times.MIN_AHEAD + _MARGIN)
    whole = at.replace(second=0, microsecond=0)
    return whole if whole == at else whole + timedelta(minutes=1)
