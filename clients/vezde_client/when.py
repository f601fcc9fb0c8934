"""When: `--at`, `--in`, `--slot` of the command line, and `when` of a sidecar file, as the API takes it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vezde_client.errors import WrongUsage

NOW: dict[str, Any] = {"kind": "now"}

_AT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d?:\d\d)(?::(\d\d))?\s*(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_FOR = re.compile(r"(?:(\d{1,4})\s*[dд])?\s*(?:(\d{1,5})\s*[hч])?\s*(?:(\d{1,6})\s*[mм](?:in|ин)?)?", re.ASCII)


def at(text: str, zone: str) -> dict[str, Any]:
    """Of «2026-12-01 10:00»: in the account's zone, unless there is an offset."""
    found = _AT.fullmatch(text.strip())
    if found is None:
        raise WrongUsage(f"Время «{text}» не разобрать. Образец: 2026-12-01 10:00 или 2026-12-01T10:00+03:00")
    day, minute, second, offset = found.groups()
    try:
        naive = datetime.strptime(f"{day} {minute}:{second or '00'}", "%Y-%m-%d %H:%M:%S")
        if offset:
            offset = "+00:00" if offset == "Z" else offset
            moment = datetime.fromisoformat(f"{naive.isoformat()}{offset}")
        else:
            moment = _in_zone(naive, zone, text)
    except ValueError:
        raise WrongUsage(f"Такого времени не бывает: {text}") from None
    return at_moment(moment)


def at_moment(moment: datetime) -> dict[str, Any]:
    return {"kind": "at", "at": moment.astimezone(UTC).isoformat().replace("+00:00", "Z")}


def _in_zone(naive: datetime, zone: str, text: str) -> datetime:
    try:
        here = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise WrongUsage(f"Пояс «{zone}» на этой машине неизвестен. Допишите смещение: {text}+03:00") from None
    first, second = naive.replace(tzinfo=here, fold=0), naive.replace(tzinfo=here, fold=1)
    if first.utcoffset() != second.utcoffset():
        kind = "наступает дважды" if first.astimezone(UTC) < second.astimezone(UTC) else "не наступает"
        raise WrongUsage(f"В поясе {zone} время {text} {kind}: переводят часы. Допишите смещение: {text}+03:00")
    return first


def after(text: str) -> dict[str, Any]:
    """Of «30m», «2h», «1d12h»."""
    found = _FOR.fullmatch(text.strip().lower())
    if found is None or not any(found.groups()):
        raise WrongUsage(f"Срок «{text}» не разобрать. Образец: 30m, 2h, 1d12h")
    days, hours, minutes = (int(part or 0) for part in found.groups())
    whole = timedelta(days=days, hours=hours, minutes=minutes)
    return {"kind": "after", "minutes": int(whole.total_seconds() // 60)}


def slot(set_id: int) -> dict[str, Any]:
    return {"kind": "slot", "set_id": set_id}


def local(text: str | None, zone: str) -> str:
    """A moment of the API as its owner reads it."""
    if not text:
        return ""
    moment = datetime.fromisoformat(text)
    try:
        return moment.astimezone(ZoneInfo(zone)).strftime("%d.%m.%Y %H:%M")
    except (ZoneInfoNotFoundError, ValueError):
        return moment.astimezone(UTC).strftime("%d.%m.%Y %H:%M UTC")
