"""What a platform counts when it limits a text. The server's count decides; pages count in the same units."""

from collections.abc import Callable
from enum import StrEnum


class TextUnit(StrEnum):
    CHARACTERS = "characters"  # code points: an emoji may be several
    UTF16 = "utf16"  # an emoji is two or more
    BYTES = "bytes"  # of UTF-8: a Cyrillic letter is two

    def count(self, text: str) -> int:
        return _COUNTERS[self](text)


_COUNTERS: dict[TextUnit, Callable[[str], int]] = {
    TextUnit.CHARACTERS: len,
    TextUnit.UTF16: lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    TextUnit.BYTES: lambda text: len(text.encode("utf-8", "surrogatepass")),
}
