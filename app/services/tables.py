"""Tables of spreadsheets as CSV: read whatever program has written them, and written as a Russian Excel reads them."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from app.problems import Problem

MAX_BYTES = 2 << 20
MAX_LINES = 2000
MAX_COLUMNS = 60
# Each is read anew from its next line on, and an open quote is only noticed far behind it.
MAX_BROKEN = 50

DELIMITERS = (";", ",", "\t")
_PIECE = 16_384  # characters written at once
_BOM = "\ufeff"  # without it Excel takes UTF-8 for a code page
# A cell that begins so is a formula for a spreadsheet, also as full-width characters. Behind an apostrophe it is none;
# what has apostrophes already gets one more, so that reading takes off what writing has put there.
_FORMULA = re.compile(r"'*[ \u00a0]*[=+\-@\t\r\n＝＋－＠]")
# An Excel of another language is told so which delimiter a file has.
_SEPARATOR = re.compile(r'\s*"?sep=(.)"?\s*', re.I)

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods, .xls
_UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")


@dataclass(frozen=True)
class Line:
    """`number`: where it begins in the file, from 1. With a `problem` its one cell is all that stands there."""

    number: int
    cells: Sequence[str]
    problem: Problem | None = None


@dataclass(frozen=True)
class Table:
    """`lines` are those below the head, without empty ones."""

    head: Sequence[str]
    lines: Sequence[Line]
    encoding: str
    delimiter: str


def read(content: bytes, is_name: Callable[[str], bool]) -> Table:
    """`is_name`: whether a column can be called so; the delimiter is the one that makes the most of them.

    Raises Problem where it is no table or too large a one. What is wrong with a line is the line's own problem.
    """
    if len(content) > MAX_BYTES:
        raise Problem("table_too_large", "file", max_mb=MAX_BYTES >> 20)
    if content.startswith(_WORKBOOKS):
        raise Problem("table_is_workbook", "file")
    text, encoding = _decode(content)
    unreadable = len(_UNREADABLE.findall(text))
    if unreadable > 3 and unreadable * 50 > len(text):
        raise Problem("table_not_text", "file")
    rows = io.StringIO(text, newline="").readlines()  # by \n, \r\n and \r alone
    start = _first(rows)
    if given := _SEPARATOR.fullmatch(rows[start]) if start < len(rows) else None:
        start = _first(rows, start + 1)
    if start == len(rows):
        raise Problem("table_empty", "file")
    delimiter = given[1] if given and given[1] in DELIMITERS else _delimiter(rows[start:], is_name)
    head, *lines = islice(_lines(rows, start, delimiter), MAX_LINES + 2)
    if len(lines) > MAX_LINES:
        raise Problem("table_too_long", "file", max=MAX_LINES)
    if not lines:
        raise Problem("table_empty", "file")
    names = [name.strip() for name in head.cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > MAX_COLUMNS:
        raise Problem("table_too_wide", "file", max=MAX_COLUMNS)
    return Table(names, lines, encoding, delimiter)


def _decode(content: bytes) -> tuple[str, str]:
    """By its mark; as UTF-8 where it is that; else as Windows-1251. What cannot be read is U+FFFD."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace"), "UTF-16"
    text = content.decode("utf-8-sig", "replace")
    bad = text.count("\ufffd")
    good = sum(not char.isascii() for char in text) - bad
    # Of another encoding hardly a letter is right; of a file that was damaged or cut, nearly all are.
    if not bad or content.startswith(codecs.BOM_UTF8) or bad * 10 < good:
        return text, "UTF-8"
    return content.decode("windows-1251", "replace"), "Windows-1251"


def _first(rows: Sequence[str], start: int = 0) -> int:
    """The first row in which anything stands."""
    return next((number for number in range(start, len(rows)) if rows[number].strip("\r\n\t ;,")), len(rows))


def _delimiter(rows: Sequence[str], is_name: Callable[[str], bool]) -> str:
    def score(delimiter: str) -> tuple[int, int]:
        head = next(_lines(rows, 0, delimiter)).cells
        return sum(is_name(name) for name in head), len(head)

    return max(DELIMITERS, key=score)


def _lines(rows: Sequence[str], start: int, delimiter: str) -> Iterator[Line]:
    """From the row `start` on, without empty ones. Behind a line whose quotes do not match, reading begins anew."""
    broken = 0
    while start < len(rows):
        reader = csv.reader(islice(rows, start, None), delimiter=delimiter, strict=True)
        begins = start
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    wrong = any(_UNREADABLE.search(cell) for cell in cells)
                    problem = Problem("table_line_unreadable") if wrong else None
                    yield Line(begins + 1, [_unescaped(cell) for cell in cells], problem)
                begins = start + reader.line_num
            return
        except csv.Error:
            broken += 1
            if broken > MAX_BROKEN:
                raise Problem("table_quotes_everywhere", "file", line=begins + 1) from None
            yield Line(begins + 1, [rows[begins].rstrip("\r\n")], Problem("table_quotes_open"))
            start = begins + 1


def write(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """With semicolons and CRLF, in pieces. No cell is a formula; None is empty."""
    text = io.StringIO()
    text.write(_BOM)
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    for row in rows:
        writer.writerow([_escaped(value) for value in row])
        if text.tell() >= _PIECE:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _escaped(value: Any) -> Any:
    if isinstance(value, str) and _FORMULA.match(value):
        return f"'{value}"
    return "" if value is None else value


def _unescaped(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
