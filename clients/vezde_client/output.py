"""What a command prints: results to stdout, for people or as one JSON document, and everything else to stderr."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

_SECONDS_BETWEEN = 0.2
_WIDTH = 28


class Output:
    def __init__(self, as_json: bool, quiet: bool = False) -> None:
        self.as_json, self._quiet = as_json, quiet
        self._shows_bar = sys.stderr.isatty() and not as_json and not quiet

    def show(self, data: Any, lines: Iterable[str]) -> None:
        """The result of a command: `data` for programs, `lines` for people."""
        if self.as_json:
            _print(json.dumps(data, ensure_ascii=False, indent=2), sys.stdout)
            return
        for line in lines:
            _print(printable(line), sys.stdout)

    def record(self, data: Any) -> None:
        """One of many results, as a line of JSON."""
        _print(json.dumps(data, ensure_ascii=False), sys.stdout)

    def notice(self, text: str) -> None:
        if not self._quiet:
            _print(printable(text), sys.stderr)

    def error(self, text: str) -> None:
        _print(printable(text), sys.stderr)

    def bar(self, name: str) -> Callable[[int, int], None]:
        """Draws how far something is, where a person looks on."""
        last = 0.0

        def draw(done: int, total: int) -> None:
            nonlocal last
            if not self._shows_bar or (time.monotonic() - last < _SECONDS_BETWEEN and done < total):
                return
            last = time.monotonic()
            filled = _WIDTH * done // max(total, 1)
            end = "\n" if done >= total else ""
            bar = f"[{'█' * filled}{'·' * (_WIDTH - filled)}]"
            text = f"\r{printable(name)[:40]} {bar} {done * 100 // max(total, 1):3d} % из {size(total)}"
            sys.stderr.write(f"{text}{end}")
            sys.stderr.flush()

        return draw


def table(rows: Sequence[Sequence[object]]) -> list[str]:
    """Columns under each other."""
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    if not texts:
        return []
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in texts]


def size(count: int) -> str:
    for unit in ("Б", "КБ", "МБ"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} ГБ"


def printable(text: str) -> str:
    """Titles are others' texts: none of them steers the terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "·" for char in text)


def _print(text: str, stream: Any) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()
