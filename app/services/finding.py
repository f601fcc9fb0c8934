"""What `flask doctor` finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`good` is None where nothing is judged."""

    text: str
    good: bool | None = None
