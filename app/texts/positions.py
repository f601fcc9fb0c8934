"""Moments of a clip, as people write them: «0:12,5» is twelve and a half seconds from its beginning."""

import re

_TYPED = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,3}):)?(\d{1,5})(?:[.,](\d{1,3})\d*)?", re.ASCII)


def parse(typed: str) -> int:
    """Milliseconds. Raises ValueError."""
    found = _TYPED.fullmatch(typed.strip())
    if found is None or (found[2] and int(found[3]) > 59):
        raise ValueError("no moment of a clip")
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + int((found[4] or "0").ljust(3, "0"))


def written(ms: int) -> str:
    """As exactly as frames need it: «0:12», «1:02:03,5», «0:00,033»."""
    seconds, rest = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f",{rest:03}".rstrip("0") if rest else ""
    return (f"{hours}:{minutes:02}" if hours else f"{minutes}") + f":{seconds:02}{fraction}"


def short(ms: int) -> str:
    """To the tenth of a second."""
    return written(round(ms / 100) * 100)
