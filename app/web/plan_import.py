"""«Импорт таблицей»: a file, what its columns mean, each line with what is wrong, and one press for all that is right.

The table is a row of its own, so that it can be looked at again, in another tab too. One form holds what its columns
mean; «Запланировать» is a button of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from flask import Blueprint, Response, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.exceptions import RequestEntityTooLarge

from app.db import db
from app.models import PlanImport, Publication
from app.problems import Problem
from app.services import bulk, plan_columns, plan_export, plan_import, tables
from app.services.plan_import import Made, Row, Sheet, State
from app.web import bulk_form, id_ranges, responses
from app.web.bulk_form import Note

blueprint = Blueprint("plan_import", __name__, url_prefix="/bulk/import")

# So much is read, so that what is too large gets an answer of the page's own.
FORM_BYTES = 32 << 20
# Of the lines that are in order, so many are shown.
MOST_SHOWN = 100
SAMPLES = 3


blueprint.add_app_template_filter(lambda meaning: plan_columns.choices().get(meaning, "?"), "import_meaning")


@blueprint.url_value_preprocessor
def allow_tables(endpoint: str | None, _values: dict | None) -> None:
    """Set before the CSRF check, which reads the form."""
    if endpoint == "plan_import.start" and current_user.is_authenticated:
        request.max_content_length = FORM_BYTES


@blueprint.errorhandler(RequestEntityTooLarge)
def too_large(_error: RequestEntityTooLarge) -> Response:
    return _first_page(Problem("table_too_large", "file", max_mb=tables.MAX_BYTES >> 20))


@blueprint.get("")
def page() -> ResponseReturnValue:
    return _first_page()


@blueprint.post("")
def start() -> ResponseReturnValue:
    file = request.files.get("file")
    if file is None or not file.filename:
        return _first_page(Problem("no_table", "file"))
    try:
        content = file.stream.read(tables.MAX_BYTES + 1)
        one = plan_import.start(current_user, file.filename, content, request.form.getlist("expected"))
    except Problem as problem:
        return _first_page(problem)
    address = url_for(".show", import_id=one.id)
    if not request.htmx:
        return responses.go(address)
    response = _shown(one, is_new=True)
    response.headers["HX-Push-Url"] = address
    return response


@blueprint.get("/<int:import_id>")
def show(import_id: int) -> ResponseReturnValue:
    return _shown(plan_import.get(current_user, import_id))


@blueprint.post("/<int:import_id>")
def change(import_id: int) -> ResponseReturnValue:
    """What the columns mean; with `do=publish` all that is right is made."""
    one = plan_import.get(current_user, import_id)
    given = {place: request.form.get(f"column-{place}", "-") for place in range(len(one.columns))}
    plan_import.choose(one, given, again="again" in request.form)
    if request.form.get("do") != "publish":
        return _shown(one)
    try:
        made = plan_import.carry_out(current_user, one)
        if not made.publications:
            raise Problem("import_nothing_ready")
    except Problem as problem:
        db.session.rollback()
        return _shown(plan_import.get(current_user, import_id), problem=problem)
    db.session.flush()
    return _shown(one, made)


@blueprint.get("/template.csv")
def template() -> Response:
    return as_file(plan_export.template(current_user), "vezde-template.csv")


@blueprint.get("/<int:import_id>/errors.csv")
def errors(import_id: int) -> Response:
    """The lines that could not be made, to be mended and sent again."""
    sheet = plan_import.check(current_user, plan_import.get(current_user, import_id))
    words = [" ".join(_sentence(note) for note in notes(row)) for row in _refused(sheet)]
    return as_file(plan_export.faulty(sheet, words), "vezde-errors.csv")


def as_file(rows: Iterable[Sequence], name: str) -> Response:
    response = Response("".join(tables.write(rows)), mimetype="text/csv")
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


def notes(row: Row) -> list[Note]:
    """What is wrong with a line, each reason once with the accounts that it holds for."""
    own = [Note("", problem.text, False) for problem in row.problems]
    return own + [
        replace(note, text=f"{note.text}. Уберите строку или измените то, что уже стоит.") if note.is_there else note
        for note in bulk_form.notes_of(row.unmade)
    ]


def _sentence(note: Note) -> str:
    return f"{note.labels}: {note.text}" if note.labels else note.text


def _refused(sheet: Sheet) -> list[Row]:
    """In the order of the table: what has to be mended, and what has to be waited for."""
    return [row for row in sheet.rows if row.state in (State.BAD, State.WAITING)]


def _first_page(problem: Problem | None = None) -> Response:
    if problem:
        db.session.rollback()
    template = "plan_import/_start.html" if request.htmx else "plan_import/start.html"
    recent = plan_import.recent(current_user)
    return responses.form_page(template, problem=problem, max_lines=tables.MAX_LINES, recent=recent)


def _shown(one: PlanImport, made: Made | None = None, problem: Problem | None = None, is_new: bool = False) -> Response:
    sheet = plan_import.check(current_user, one)
    there = sheet.of(State.THERE)
    unmade = [line for row in sheet.rows for line in row.unmade]
    context = {
        "one": one,
        "sheet": sheet,
        "columns": _columns(sheet),
        "choices": plan_columns.choices(),
        "problem": problem or sheet.problem,
        "refused": [(row, notes(row)) for row in _refused(sheet)],
        "waiting": len(sheet.of(State.WAITING)),
        "ready": sheet.of(State.READY),
        "there": there,
        "is_new": is_new,
        "made": made,
        "to_made": _to(made.publications) if made else "",
        "to_there": _to([publication for row in there for publication in row.there]),
        "published_there": any(line.destination and line.destination.published for line in unmade),
        "most_shown": MOST_SHOWN,
    }
    response = make_response(
        render_template("plan_import/_sheet.html" if request.htmx else "plan_import/page.html", **context)
    )
    if problem:
        response.status_code = 422
    if made:
        response.headers["HX-Reswap"] = "outerHTML show:window:top"
    return response


def _to(some: Sequence[Publication]) -> str:
    """Where they are shown, and can be moved and cancelled."""
    return url_for("bulk.made", publications=id_ranges.to_text([one.id for one in some][: bulk.MAX_PUBLICATIONS]))


def _columns(sheet: Sheet) -> list[tuple[str, str, list[str]]]:
    """Of each: its name, what it means, and what stands in its first lines."""
    first = [line.cells for line in sheet.table.lines if not line.problem][:SAMPLES]
    return [
        (name, meaning, [cells[place] for cells in first if place < len(cells)])
        for place, (name, meaning) in enumerate(zip(sheet.table.head, sheet.meanings, strict=True))
    ]
