"""Due times: from when to when one may be, and what a local time means in the user's zone."""

from datetime import datetime, timedelta

from app import clock
from app.models import User
from app.problems import Problem
from app.texts import moments

MIN_AHEAD = timedelta(minutes=5)
MAX_AHEAD = timedelta(days=366)

# What a form's <input type="datetime-local"> sends.
FORMAT = "%Y-%m-%dT%H:%M"

# Of a local time that comes twice, by Python's `fold`.
OCCURRENCES = {"first": 0, "second": 1}


def parse(user: User, typed: str, occurrence: str = "") -> datetime:
    """UTC of what was typed in the user's zone, as FORMAT; `occurrence` is a key of OCCURRENCES.

    Raises Problem at the field «due», or «occurrence» where the local time comes twice and it is not given.
    """
    if not typed.strip():
        raise Problem("due_missing", "due")
    try:
        return clock.from_zone(datetime.strptime(typed, FORMAT), user.timezone, OCCURRENCES.get(occurrence))
    except clock.NoSuchTime as gap:
        raise Problem("due_skipped", "due", instead=moments.dated_here(gap.instead, user.timezone)) from None
    except clock.TwoSuchTimes:
        raise Problem("due_ambiguous", "occurrence") from None
    except (ValueError, OverflowError):
        raise Problem("due_malformed", "due") from None


def check(user: User, due_at: datetime) -> None:
    """Raises Problem at the field «due» unless `due_at` is MIN_AHEAD to MAX_AHEAD from now."""
    now = clock.now()
    if due_at < now + MIN_AHEAD:
        code = "due_in_past" if due_at <= now else "due_too_soon"
        raise Problem(code, "due", earliest=moments.near(earliest(), user.timezone))
    if due_at > latest():
        raise Problem("due_too_late", "due", latest=moments.near(latest(), user.timezone))


def earliest() -> datetime:
    """A whole minute that is still far enough ahead when a user has read and typed it."""
    return (clock.now() + MIN_AHEAD + timedelta(minutes=2)).replace(second=0, microsecond=0)


def latest() -> datetime:
    return (clock.now() + MAX_AHEAD).replace(second=0, microsecond=0)


def occurrences(user: User, typed: str) -> dict[str, datetime]:
    """Where what was typed comes twice in the user's zone: both moments (UTC). Otherwise empty."""
    try:
        local = datetime.strptime(typed, FORMAT)
        both = {name: clock.from_zone(local, user.timezone, fold) for name, fold in OCCURRENCES.items()}
    except (ValueError, OverflowError):
        return {}
    return both if both["first"] != both["second"] else {}
