"""Many ids in an address: «101-140.143». Those of rows that were made together are mostly one after the other."""

import re
from collections.abc import Iterable

_RANGE = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?")


def to_text(ids: Iterable[int]) -> str:
    ranges: list[list[int]] = []
    for number in sorted(set(ids)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ".".join(f"{first}-{last}" if last > first else str(first) for first, last in ranges)


def from_text(text: str, most: int) -> list[int]:
    """At most so many; without what is no range."""
    ids: list[int] = []
    for part in text.split("."):
        if found := _RANGE.fullmatch(part):
            first, last = int(found[1]), int(found[2] or found[1])
            ids += range(first, min(last, first + most - len(ids) - 1) + 1)
    return ids[:most]
