"""What stands beside a clip in the inbox: `clip.json`, `clip.csv`, or its line in the folder's `plan.csv`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.models import User
from app.platforms.http.response import Response
from app.problems import Problem
from app.services import arrival_fields, tables

MAX_BYTES = 256 << 10
PLAN = "plan.csv"
SUFFIXES = (".json", ".csv")
FIELDS = ("title", "text", "rule", "when", "id")
_NAMES = {
    "file": ("file", "файл", "имя файла", "клип"),
    "title": ("title", "название", "заголовок"),
    "text": ("text", "description", "описание", "текст"),
    "rule": ("rule", "правило"),
    "when": ("when", "когда", "время", "дата"),
    "id": ("id", "номер"),
}
_MEANINGS = {name: meaning for meaning, names in _NAMES.items() for name in names}


@dataclass(frozen=True)
class Note:
    """`when` is as in the API."""

    title: str = ""
    text: str = ""
    rule: int | None = None
    when: dict[str, Any] | None = None
    id: str | None = None


def names_for(clip: str) -> list[str]:
    """The files that may stand beside a clip, by its name; the first that is there counts."""
    stem = clip.rpartition(".")[0] or clip
    return [f"{base}{suffix}" for suffix in SUFFIXES for base in (stem, clip)]


def read(user: User, clip: str, name: str, content: bytes) -> Note | None:
    """What the file `name` says of the clip; None where a plan does not name it. Raises Problem."""
    found = _of_json(name, content) if name.lower().endswith(".json") else _of_csv(clip, name, content)
    if found is None:
        return None
    return Note(
        title=arrival_fields.text(found, "title"),
        text=arrival_fields.text(found, "text"),
        rule=arrival_fields.number(found, "rule"),
        when=arrival_fields.when(found.get("when"), user),
        id=arrival_fields.external_id(found),
    )


def _of_json(name: str, content: bytes) -> Mapping[str, Any]:
    found = Response(200, {}, content).json()
    if not isinstance(found, dict):
        raise Problem("note_not_json", name=name)
    for field in found:
        if field not in FIELDS:
            raise Problem("note_field_unknown", name=name, typed=field)
    return found


def _of_csv(clip: str, name: str, content: bytes) -> Mapping[str, Any] | None:
    table = tables.read(content, lambda head: _meaning(head) is not None)
    meanings = [_meaning(head) for head in table.head]
    lines = [_cells(meanings, line) for line in table.lines]
    if name.lower() != PLAN:
        if len(lines) != 1:
            raise Problem("note_not_one_line", name=name, count=len(lines))
        return lines[0]
    if "file" not in meanings:
        raise Problem("note_without_files", name=name)
    mine = [line for line in lines if line.get("file") == clip]
    if len(mine) > 1:
        raise Problem("note_not_one_line", name=name, count=len(mine))
    return mine[0] if mine else None


def _meaning(head: str) -> str | None:
    return _MEANINGS.get(head.strip().casefold())


def _cells(meanings: Sequence[str | None], line: tables.Line) -> dict[str, str]:
    if line.problem:
        raise line.problem
    pairs = zip(meanings, line.cells, strict=False)
    return {meaning: cell.strip() for meaning, cell in pairs if meaning and cell.strip()}


def content_of(name: str, size: int, read_all: Callable[[], bytes]) -> bytes:
    """Raises Problem where it is larger than such a file ever is."""
    if size > MAX_BYTES:
        raise Problem("note_too_large", name=name, max_kb=MAX_BYTES >> 10)
    return read_all()
