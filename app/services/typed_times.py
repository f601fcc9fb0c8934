"""Moments as people and spreadsheets write them in a table: «28.11.2026 10:00», «28 ноября, 10:00», ISO 8601."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

from app import clock
from app.models import User
from app.problems import Problem
from app.texts import moments

MOST_SHOWN = 40  # characters of what was typed, in a refusal

_MONTHS = ("янв", "фев", "мар", "апр", "ма[йя]", "июн", "июл", "авг", "сен", "окт", "ноя", "дек")
_DATES = (
    r"(?P<year>\d{4})(?P<mark>[-./])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
    r"(?P<day>\d{1,2})(?P<mark>[-./])(?P<month>\d{1,2})(?:(?P=mark)(?P<year>\d{4}|\d{2}))?",
    rf"(?P<day>\d{{1,2}}) (?P<name>{'|'.join(_MONTHS)})[а-я]*\.?(?: (?P<year>\d{{4}}))?",
)
_TIME = r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,]\d+)?)?"
_OFFSET = r"(?: ?(?P<utc>z)| ?(?:utc|gmt)? ?(?P<sign>[-+])(?P<off_hours>\d{1,2})(?::?(?P<off_minutes>\d{2}))?)?"
_WHOLE = [
    re.compile(whole)
    for date in _DATES
    for whole in (rf"{date}(?: ?t ?| ){_TIME}{_OFFSET}", rf"{_TIME} {date}", rf"(?P<alone>){date}")
]
# What stands between, before or behind in people's words.
_WEEKDAY = re.compile(r"^(?:пн|вт|ср|чт|пт|сб|вс|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье)\b\.?")
_MIDNIGHT = re.compile(r"[ T]0?0:00(?::00)?$")
_MOSCOW = re.compile(r"\b(?:мск|msk)\b")
_FILLERS = re.compile(r"[,;]|\bг\.|\bг\b|\bгода\b|\bв\b|\bчас\w*\b")


def parse(user: User, typed: str, time: str = "") -> datetime:
    """UTC of what was typed in the user's zone, or with an offset of its own. Of a date without a year, the nearest.

    `time`: where it stands by itself; a date of a spreadsheet may have midnight with it then. Raises Problem at the
    field «due».
    """
    typed = f"{_MIDNIGHT.sub('', typed.strip())} {time}" if time.strip() else typed
    text = _plain(typed)
    if not text:
        raise Problem("due_missing", "due")
    shown = " ".join(typed.split())[:MOST_SHOWN]
    found = next(filter(None, (form.fullmatch(text) for form in _WHOLE)), None)
    if found is None:
        raise Problem("typed_time_malformed", "due", typed=shown)
    parts = found.groupdict()
    if parts.get("alone") is not None:
        raise Problem("typed_time_without_hour", "due", typed=shown)
    try:
        local = _local(user, parts)
        offset = _offset(parts)
        if offset is not None:
            return local.replace(tzinfo=timezone(offset)).astimezone(UTC)
        return clock.from_zone(local, user.timezone)
    except clock.NoSuchTime as gap:
        raise Problem("due_skipped", "due", instead=moments.dated_here(gap.instead, user.timezone)) from None
    except clock.TwoSuchTimes:
        first, second = (written(user, clock.from_zone(local, user.timezone, fold)) for fold in (0, 1))
        raise Problem("typed_time_twice", "due", first=first, second=second) from None
    except (ValueError, OverflowError):
        raise Problem("typed_time_impossible", "due", typed=shown) from None


def written(user: User, at: datetime) -> str:
    """As `parse` reads it: «28.11.2026 10:00», with an offset where that time comes twice."""
    local = clock.to_zone(at, user.timezone)
    text = local.strftime("%d.%m.%Y %H:%M:%S").removesuffix(":00")
    try:
        clock.from_zone(local.replace(tzinfo=None, fold=0), user.timezone)
    except clock.TwoSuchTimes:
        return f"{text} {local.isoformat()[-6:]}"
    return text


def _plain(typed: str) -> str:
    """Lower case, plain digits, dashes and spaces, without fillers."""
    text = unicodedata.normalize("NFKC", typed).casefold()
    text = re.sub("[\u2010-\u2015\u2212]", "-", text)
    text = _WEEKDAY.sub(" ", " ".join(text.split()))
    return " ".join(_FILLERS.sub(" ", _MOSCOW.sub("+3", text)).split())


def _local(user: User, parts: dict[str, str | None]) -> datetime:
    """Raises ValueError where there is no such day or time."""
    month = int(parts["month"]) if parts.get("month") else _month(parts["name"])
    time = int(parts["hour"]), int(parts["minute"]), int(parts["second"] or 0)
    if year := parts["year"]:
        return datetime(int(year) + (2000 if len(year) == 2 else 0), month, int(parts["day"]), *time)
    now = clock.to_zone(clock.now(), user.timezone).replace(tzinfo=None)
    near = []
    for other in (now.year - 1, now.year, now.year + 1):
        try:
            near.append(datetime(other, month, int(parts["day"]), *time))
        except ValueError:
            continue  # the 29th of February
    if not near:
        raise ValueError("no such day")
    return min(near, key=lambda one: abs(one - now))


def _month(name: str) -> int:
    return next(number for number, stem in enumerate(_MONTHS, 1) if re.match(stem, name))


def _offset(parts: dict[str, str | None]) -> timedelta | None:
    if parts.get("utc"):
        return timedelta(0)
    if not parts.get("sign"):
        return None
    size = timedelta(hours=int(parts["off_hours"]), minutes=int(parts["off_minutes"] or 0))
    return -size if parts["sign"] == "-" else size
