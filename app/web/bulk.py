"""«Опубликовать несколько»: many clips on many accounts, now or spread over days; then what became of each."""

from collections.abc import Sequence

from flask import Blueprint, Response, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from app.db import db
from app.models import Clip, Publication, Status
from app.problems import Problem
from app.services import account_sets, bulk, bulk_changes, connection_list
from app.services.bulk import Line, Result
from app.texts import moments
from app.web import asking, bulk_form, due_time, id_ranges
from app.web.access import reads
from app.web.bulk_form import Sheet
from app.web.filters import plural

blueprint = Blueprint("bulk", __name__, url_prefix="/bulk")

# Two hundred titles, and descriptions that are edited.
FORM_BYTES = 4 << 20

blueprint.add_app_template_global(bulk_form.words_of, "words_of_refusal")
blueprint.add_app_template_global(bulk_form.notes_of)


@blueprint.url_value_preprocessor
def allow_long_forms(_endpoint: str | None, _values: dict | None) -> None:
    """Set before the CSRF check, which reads the form."""
    if current_user.is_authenticated:
        request.max_content_length = request.max_form_memory_size = FORM_BYTES


@blueprint.route("", methods=["GET", "POST"])
@reads
def page() -> ResponseReturnValue:
    """The sheet as it opens, and after each change in it: nothing is made."""
    if request.method == "GET" and request.args.get("all") == "ready":
        some = bulk.all_ready(current_user)
    else:
        some = bulk.clips_of(current_user, bulk_form.clip_ids())
    sheet = bulk_form.sheet(some)
    if asking.ask([place.destination.connection for place in sheet.places if place.chosen]):
        some = bulk.clips_of(current_user, [clip.id for clip in some])
        sheet = bulk_form.sheet(some)
    return _shown(some, sheet)


@blueprint.get("/options")
def options() -> ResponseReturnValue:
    """The poll of a sheet that waits for a platform: empty until it has answered, then the sheet is renewed."""
    looks = asking.looks(connection_list.usable(current_user)).values()
    if all(asking.is_waited_for(look) for look in looks if look.question and asking.is_known(look)):
        return Response(status=204)
    return Response(headers={"HX-Trigger": "renew"})


@blueprint.post("/publish")
def publish() -> ResponseReturnValue:
    """All that fits, at once; what was refused is told with its reason."""
    some = bulk.clips_of(current_user, bulk_form.clip_ids())
    sheet = bulk_form.sheet(some)
    results = bulk.carry_out(current_user, sheet.lines) if not sheet.problem else []
    made = [one for one in results if isinstance(one, Publication)]
    if not made:
        db.session.rollback()
        problem = sheet.problem or Problem("bulk_nothing_fits" if sheet.lines else "no_destination")
        return _shown(some, bulk_form.sheet(some), problem)
    account_sets.remember_choice(current_user, request.form.getlist("offered", int), bulk_form.chosen_ids())
    refused = [pair for pair in zip(sheet.lines, results, strict=True) if not isinstance(pair[1], Publication)]
    ids = [one.id for one in made]
    db.session.flush()
    response = _result(bulk_changes.chosen(current_user, ids), refused)
    if request.htmx:
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#bulk-page", "outerHTML show:window:top"
        response.headers["HX-Push-Url"] = url_for(".made", publications=id_ranges.to_text(ids))
    return response


@blueprint.get("/made")
def made() -> ResponseReturnValue:
    """What one press has made, as it is by now."""
    ids = id_ranges.from_text(request.args.get("publications", ""), bulk.MAX_PUBLICATIONS)
    return _result(bulk_changes.chosen(current_user, ids), [])


def _shown(some: Sequence[Clip], sheet: Sheet, problem: Problem | None = None) -> Response:
    context = {
        "sheet": sheet,
        "problem": problem or sheet.problem,
        "sets": account_sets.all_of(current_user),
        "when": due_time.of(*bulk_form.due()),
        "words": action_words(sheet),
        "zone": current_user.timezone,
    }
    template = "bulk/_changed.html" if request.htmx else "bulk/page.html"
    return make_response(render_template(template, **context), 422 if problem else 200)


def _result(some: Sequence[Publication], refused: Sequence[tuple[Line, Result]]) -> Response:
    by_clip: dict[int | None, list[Publication]] = {}
    for one in some:
        by_clip.setdefault(one.clip_id, []).append(one)
    template = "bulk/_made.html" if request.htmx else "bulk/made_page.html"
    waiting = [one.id for one in some if one.status == Status.SCHEDULED]
    context = {"by_clip": list(by_clip.values()), "publications": some, "waiting": waiting}
    context |= {"refused": bulk_form.notes_by_clip(refused), "refused_count": len(refused)}
    return make_response(Markup(render_template(template, zone=current_user.timezone, **context)))


def action_words(sheet: Sheet) -> str:
    """«Запланировать 40 публикаций: 28 ноября – 7 декабря»: what the button does."""
    count = len(sheet.ready)
    times = [line.item.due_at for line in sheet.ready if line.item.due_at]
    if not count:
        return "Публиковать нечего"
    if not times:
        return f"Опубликовать сейчас: {plural(count, 'публикация', 'публикации', 'публикаций')}"
    first, last = (moments.day(at, current_user.timezone) for at in (min(times), max(times)))
    days = first if first == last else f"{first} – {last}"
    return f"Запланировать {plural(count, 'публикацию', 'публикации', 'публикаций')}: {days}"
