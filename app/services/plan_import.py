"""A table of what goes out where and when: kept for a day, checked line by line, made at one press.

A line is made as a whole or not at all, so that what is mended can be sent again; what stands in the plan already just
as the line wants it is neither made twice nor a fault.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.orm import defer

from app import clock, platforms
from app.db import db
from app.models import PlanImport, Publication, User
from app.platforms import options
from app.platforms.options import Checkbox, Option, Select
from app.problems import NotFound, Problem
from app.services import asked_options, bulk, clips, plan_columns, tables, typed_times
from app.services.bulk import Line
from app.services.drafts import Choice, Item
from app.services.plan_columns import Meaning
from app.services.plan_names import ClipNames, Places
from app.services.tables import Table

MAX_PUBLICATIONS = 4000
MAX_KEPT = 10  # tables of one user
MAX_EXPECTED = 1000

_YES = ("да", "yes", "true", "1", "+", "x", "х", "on", "истина")
_NO = ("нет", "no", "false", "0", "-", "off", "ложь")


class State(StrEnum):
    BAD = "bad"
    WAITING = "waiting"  # bad only until its clip is here and ready
    READY = "ready"
    THERE = "there"


@dataclass
class Row:
    """A line of the table: `lines` are what it would make, one for each account; `problems` are of itself."""

    source: tables.Line
    cells: Mapping[str, str] = field(default_factory=dict)  # by meaning
    problems: list[Problem] = field(default_factory=list)
    clip_id: int | None = None
    connection_ids: Sequence[int] = ()
    due_at: datetime | None = None
    lines: list[Line] = field(default_factory=list)

    def cell(self, meaning: Meaning) -> str:
        return self.cells.get(meaning, "")

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """A refusal becomes the line's."""
        try:
            yield
        except Problem as problem:
            self.problems.append(problem)

    @property
    def number(self) -> int:
        return self.source.number

    @property
    def state(self) -> State:
        refused = [*self.problems, *(one for line in self.unmade for one in line.problems)]
        codes = {one.code if isinstance(one, Problem) else "" for one in refused}
        if codes and codes <= {"import_clip_uploading", "clip_not_ready"}:
            return State.WAITING
        if codes:
            return State.BAD
        return State.READY if self.unmade else State.THERE

    @property
    def there(self) -> list[Publication]:
        """What stands there as the line wants it."""
        return [one for line in self.lines if (one := _there(line))]

    @property
    def unmade(self) -> list[Line]:
        return [line for line in self.lines if not _there(line)]


@dataclass(frozen=True)
class Sheet:
    """A table as it is now. `problem`: of its columns or its size; then nothing of it was checked."""

    table: Table
    meanings: Sequence[str]
    rows: Sequence[Row] = ()
    problem: Problem | None = None

    def of(self, state: State) -> list[Row]:
        return [row for row in self.rows if row.state == state]


@dataclass(frozen=True)
class Made:
    """How many lines of the table, and the publications that they became; `refused`: lines that another was faster
    than.
    """

    lines: int
    publications: Sequence[Publication]
    refused: int


# The table


def start(user: User, file_name: str, content: bytes, expected: Sequence[str] = ()) -> PlanImport:
    """Keeps the table for a day, and no more than MAX_KEPT of one user. Raises Problem at the field «file»."""
    table = tables.read(content, plan_columns.is_name)
    newest = select(PlanImport.id).where(PlanImport.user_id == user.id).order_by(PlanImport.id.desc())
    kept = db.session.scalars(newest.limit(MAX_KEPT - 1)).all()
    db.session.execute(delete(PlanImport).where(PlanImport.user_id == user.id, PlanImport.id.not_in(kept)))
    one = PlanImport(
        user_id=user.id,
        file_name=clips.shown_name(file_name),
        content=content,
        columns=plan_columns.recognize_all(table.head),
        expected=[clips.shown_name(name) for name in expected[:MAX_EXPECTED]],
    )
    db.session.add(one)
    db.session.flush()
    return one


def get(user: User, import_id: int) -> PlanImport:
    """Raises NotFound, for another user's too."""
    mine = (PlanImport.id == import_id, PlanImport.user_id == user.id, PlanImport.expires_at > clock.now())
    one = db.session.scalar(select(PlanImport).where(*mine))
    if one is None:
        raise NotFound
    return one


def recent(user: User) -> Sequence[PlanImport]:
    """Newest first, without what is in them."""
    mine = select(PlanImport).where(PlanImport.user_id == user.id, PlanImport.expires_at > clock.now())
    return db.session.scalars(mine.options(defer(PlanImport.content)).order_by(PlanImport.id.desc())).all()


def choose(one: PlanImport, given: Mapping[int, str], *, again: bool) -> None:
    """What columns mean, by their place, and whether clips go out once more where they stand already."""
    one.columns, one.again = plan_columns.chosen(given, one.columns), again
    db.session.flush()


def sweep() -> None:
    db.session.execute(delete(PlanImport).where(PlanImport.expires_at <= clock.now()))


# What it says


def check(user: User, one: PlanImport) -> Sheet:
    """Looks at each line, and changes nothing."""
    table = tables.read(one.content, plan_columns.is_name)
    try:
        plan_columns.check(one.columns)
        rows = _read(user, one, table)
        return Sheet(table, one.columns, rows)
    except Problem as problem:
        return Sheet(table, one.columns, problem=problem)


def carry_out(user: User, one: PlanImport) -> Made:
    """Makes all lines that can be made. Raises Problem where the table as a whole cannot be read."""
    sheet = check(user, one)
    if sheet.problem:
        raise sheet.problem
    ready = sheet.of(State.READY)
    lines = [line for row in ready for line in row.unmade]
    results = iter(bulk.carry_out(user, lines))
    by_row = [[next(results) for _ in row.unmade] for row in ready]
    made = [one for some in by_row for one in some if isinstance(one, Publication)]
    whole = sum(all(isinstance(one, Publication) for one in some) for some in by_row)
    return Made(whole, made, len(ready) - whole)


def _read(user: User, one: PlanImport, table: Table) -> list[Row]:
    names, places = ClipNames(user, one.expected), Places(user)
    rows = [_resolved(user, one, table, line, names, places) for line in table.lines]
    descriptions = names.descriptions({row.clip_id for row in rows if row.clip_id})
    items, owners = [], []
    for row in rows:
        if row.clip_id is None:
            continue
        title = row.cell(Meaning.TITLE) or names.title(row.clip_id)
        text = row.cell(Meaning.TEXT) or descriptions[row.clip_id]
        answers = _answers(row.cells)
        for number in row.connection_ids:
            account = places.account(number)
            given = asked_options.called(account, answers[account.platform])
            choice = Choice(number, title, text, one.again, given)
            items.append(Item(row.clip_id, choice, row.due_at))
            owners.append(row)
    if len(items) > MAX_PUBLICATIONS:
        raise Problem("import_too_many", "file", count=len(items), max=MAX_PUBLICATIONS)
    for line, row in zip(_planned(user, items), owners, strict=True):
        row.lines.append(line)
    _blame_repeated(rows)
    return rows


def _resolved(user: User, one: PlanImport, table: Table, line: tables.Line, names: ClipNames, places: Places) -> Row:
    """What the line names, each cell by itself, so that all that is wrong with it is said at once."""
    row = Row(line)
    extra = any(cell.strip() for cell in line.cells[len(table.head) :])
    if line.problem:
        row.problems.append(line.problem)
    elif extra:
        row.problems.append(Problem("import_cells_too_many", count=len(line.cells), columns=len(table.head)))
    if row.problems:
        return row
    row.cells = dict(zip(one.columns, (cell.strip() for cell in line.cells), strict=False))
    for name, meaning, cell in zip(table.head, one.columns, line.cells, strict=False):
        if meaning == Meaning.UNKNOWN_OPTION and cell.strip():
            row.problems.append(Problem("import_option_unknown", name=name))
    with row.blamed():
        row.clip_id = names.find(row.cell(Meaning.FILE))
    with row.blamed():
        row.due_at = typed_times.parse(user, row.cell(Meaning.WHEN), row.cell(Meaning.TIME))
    with row.blamed():
        row.connection_ids = places.find(row.cell(Meaning.WHERE))
    return row


def _answers(cells: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """By platform: what the line says, and what is quiet where it says nothing."""
    answers = {key: options.quiet(asked_options.offered(key)) for key in platforms.ADAPTERS}
    for meaning, (_, option) in plan_columns.options().items():
        if cell := cells.get(meaning, ""):
            _, platform, name = meaning.split(":")
            answers[platform][name] = _value(option, cell)
    return answers


def _value(option: Option, cell: str) -> object:
    """As a form would send it; what is no answer is refused where all answers are."""
    plain = cell.casefold()
    if isinstance(option, Checkbox):
        return True if plain in _YES else False if plain in _NO else cell
    if isinstance(option, Select):
        return next((value for value, text in option.choices.items() if text.casefold() == plain), cell)
    return cell


def _planned(user: User, items: Sequence[Item]) -> list[Line]:
    """As many at once as bulk takes."""
    step = bulk.MAX_PUBLICATIONS
    return [line for at in range(0, len(items), step) for line in bulk.plan(user, items[at : at + step])]


def _blame_repeated(rows: Sequence[Row]) -> None:
    """A clip goes to an account once: of lines that could be made, the first does it."""
    taken: dict[tuple[int, int], int] = {}
    for row in rows:
        for place, line in enumerate(row.lines):
            row.lines[place] = _without_repetition(line)
        if earlier := next((taken[line.key] for line in row.lines if line.key in taken), None):
            row.problems.append(Problem("import_line_twice", line=earlier))
        elif row.state in (State.READY, State.THERE):
            taken |= {line.key: row.number for line in row.lines}


def _without_repetition(line: Line) -> Line:
    """Bulk names a repetition «already live», whatever became of the first: here that is known better."""
    if line.destination is None or line.destination.live:
        return line
    kept = [one for one in line.problems if not (isinstance(one, Problem) and one.code == "already_live")]
    return line if len(kept) == len(line.problems) else replace(line, problems=kept)


def _there(line: Line) -> Publication | None:
    """On its way or published, with just the line's texts and time."""
    wanted = line.item.due_at, line.title, line.description
    for one in (line.destination.live, line.destination.published) if line.destination else ():
        if one and wanted == (one.due_at, one.title, one.description):
            return one
    return None
