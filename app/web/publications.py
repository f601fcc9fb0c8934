"""«Публикации»: the list with its filters, a page for each publication, their polls, and a publication's actions."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from app import clock, platforms
from app.db import db
from app.models import PlatformConnection, Publication, Status
from app.problems import NotFound, Problem
from app.services import asked_options, history, incidents, moves, publication_options, publications, retries
from app.services.history import STATES, Attempt, Filters, State
from app.services.plan import Span
from app.web import asking, due_time, notifications, plan_page, publish_form, responses
from app.web.access import address_of
from app.web.clip_cards import cards
from app.web.clips import known_versions
from app.web.publish import scheduled_text

blueprint = Blueprint("publications", __name__, url_prefix="/publications")
blueprint.add_app_template_global(lambda: incidents.of_user(current_user), "incidents_of_user")

MAX_QUERY = 100
_KNOWN = re.compile(r"(\d{1,18}):([\d.]{1,64})")


@blueprint.get("")
def page() -> ResponseReturnValue:
    titles = history.clips_published(current_user, request.args.get("clip", type=int))
    filters = _filters(request.args, titles)
    counts = history.counts(current_user, filters)
    shown = history.page(current_user, filters, request.args.get("page", 1, int), counted=counts.total)
    context = {
        "shown": shown,
        "counts": counts,
        "filters": filters,
        "chosen": _arguments(filters),
        "day": plan_page.day_of(request.args.get("on")) if filters.due else None,
    }
    if request.htmx:
        response = make_response(render_template("publications/_found.html", **context))
        response.headers["HX-Push-Url"] = url_for(".page", **context["chosen"])
        return response
    return render_template(
        "publications/page.html",
        titles=titles,
        possible=STATES[filters.state] if filters.state else list(Status),
        platforms=platforms.ADAPTERS.values(),
        **context,
    )


@blueprint.get("/changes")
def changes() -> ResponseReturnValue:
    """The poll of the list: which of its publications have changed. Mostly none, found by one query."""
    changed = history.changed(current_user, known_versions(_KNOWN))
    return _list_fragments(changed, request.args) + notifications.bell() if changed else ("", 204)


@blueprint.get("/<int:publication_id>")
def publication(publication_id: int) -> ResponseReturnValue:
    one = publications.get(current_user, publication_id)
    return render_template("publications/publication.html", publication=one, attempts=history.attempts(one))


@blueprint.get("/<int:publication_id>/changes")
def change(publication_id: int) -> ResponseReturnValue:
    """The poll of a publication's page."""
    one = publications.get(current_user, publication_id)
    attempts = history.attempts(one)
    if request.args.get("known") == f"{one.id}:{history.story_version(one, attempts)}":
        return "", 204
    return _page_fragments(one, attempts) + notifications.bell()


@blueprint.post("/<int:publication_id>/retry")
def retry(publication_id: int) -> ResponseReturnValue:
    return _changed(retries.retry(current_user, publication_id), "Публикуем ещё раз.")


@blueprint.post("/<int:publication_id>/cancel")
def cancel(publication_id: int) -> ResponseReturnValue:
    held = publications.cancel(current_user, publication_id)
    publication = publications.get(current_user, publication_id)
    return _changed(publication, "Публикация отменена.", undo=url_for("undo.restore", undo_id=held.id))


@blueprint.post("/<int:publication_id>/resend")
def resend(publication_id: int) -> ResponseReturnValue:
    return _changed(retries.resend(current_user, publication_id), "Отправляем ещё раз.")


@blueprint.route("/<int:publication_id>/confirm", methods=["GET", "POST"])
def confirm(publication_id: int) -> ResponseReturnValue:
    """«Есть»: with the link, if the user has it at hand."""
    publication, problem, url = publications.get(current_user, publication_id), None, request.form.get("url", "")
    if request.method == "POST":
        try:
            return _changed(publications.confirm(current_user, publication_id, url), "Отмечено: опубликовано.")
        except Problem as refusal:
            db.session.rollback()
            problem = refusal
    return responses.dialog("publications/_confirm.html", publication=publication, problem=problem, url=url)


@blueprint.route("/<int:publication_id>/move", methods=["GET", "POST"])
def move(publication_id: int) -> ResponseReturnValue:
    publication, problem = publications.get_scheduled(current_user, publication_id), None
    if request.method == "POST":
        try:
            held = moves.move(current_user, publication_id, due_time.sent())
            publication = publications.get(current_user, publication_id)
            undo = url_for("undo.restore", undo_id=held.id) if held else None
            return _changed(publication, scheduled_text(publication), undo=undo)
        except Problem as refusal:
            db.session.rollback()
            problem = refusal
    when = due_time.typed() if problem else due_time.scheduled(publication)
    return responses.dialog("publications/_move.html", publication=publication, when=when, problem=problem)


@blueprint.route("/<int:publication_id>/options", methods=["GET", "POST"])
def change_options(publication_id: int) -> ResponseReturnValue:
    publication, problem = publications.get_scheduled(current_user, publication_id), None
    prefix = f"option-{publication_id}-"
    if request.method == "POST" and not asking.is_look():
        try:
            for connection in _account(publication):
                asking.require_shown(connection, prefix)
            answers = publish_form.options_sent(prefix)
            changed = publication_options.change(current_user, publication_id, answers, prefix)
            return _changed(changed, "Настройки изменены.")
        except Problem as refusal:
            db.session.rollback()
            problem = refusal
    if asking.ask(_account(publication)):
        publication = publications.get_scheduled(current_user, publication_id)
    return responses.dialog("publications/_options_form.html", **_options(publication), problem=problem)


@blueprint.get("/<int:publication_id>/options/answer")
def options_answer(publication_id: int) -> ResponseReturnValue:
    """The poll of the open dialog: empty while the platform has not answered."""
    context = _options(publications.get_scheduled(current_user, publication_id))
    if context["look"] is None:
        raise NotFound
    if asking.is_waited_for(context["look"]):
        return "", 204
    return render_template("publications/_options_asked.html", **context, problem=None)


def _account(publication: Publication) -> list[PlatformConnection]:
    return [publication.connection] if publication.connection else []


def _options(publication: Publication) -> dict[str, Any]:
    """What the dialog shows: as it was sent, or as it is."""
    [connection, *_] = _account(publication) or [None]
    platform, sent = publication.platform, publish_form.options_sent(f"option-{publication.id}-")
    return {
        "publication": publication,
        "declared": asked_options.declared(connection) if connection else asked_options.offered(platform),
        "answers": sent if request.method == "POST" and sent else publication.options,
        "look": asking.looks(_account(publication)).get(connection.id) if connection else None,
    }


@blueprint.post("/<int:publication_id>/now")
def publish_now(publication_id: int) -> ResponseReturnValue:
    return _changed(publications.publish_now(current_user, publication_id), "Публикуем. Ход виден на карточке клипа.")


def _changed(publication: Publication, text: str, undo: str | None = None) -> ResponseReturnValue:
    return responses.done(text, *shown_change(publication), undo=undo)


def shown_change(publication: Publication) -> tuple[str, str]:
    """The page that the user has open: the list, the publication's own (or a dialog below it), the plan or the clips;
    and what changes on it.
    """
    shown = address_of(request.htmx.current_url if request.htmx else request.referrer)
    own = url_for("publications.publication", publication_id=publication.id)
    if shown.path == url_for("publications.page"):
        fragments = _list_fragments([publication], MultiDict(parse_qsl(shown.query)))
        return f"{shown.path}?{shown.query}", fragments
    if f"{shown.path}/".startswith(f"{own}/"):
        return own, _page_fragments(publication, history.attempts(publication))
    back = url_for("plan.page" if plan_page.is_shown() else "clips.page")
    return back, cards([publication.clip]) if publication.clip else ""


def _list_fragments(some: Sequence[Publication], args: MultiDict[str, str]) -> str:
    """The states of some publications, and the list's summary of all that match `args`."""
    filters = _filters(args, history.clips_published(current_user, args.get("clip", type=int)))
    states = [
        render_template("publications/_polled_state.html", publication=publication, oob=True) for publication in some
    ]
    summary = render_template(
        "publications/_summary.html",
        counts=history.counts(current_user, filters),
        filters=filters,
        chosen=_arguments(filters),
        oob=True,
    )
    return Markup("").join(map(Markup, (*states, summary)))


def _page_fragments(publication: Publication, attempts: Sequence[Attempt]) -> str:
    context = {"publication": publication, "attempts": attempts, "oob": True}
    return Markup(
        render_template("publications/_story.html", **context) + render_template("publications/_facts.html", **context)
    )


def _filters(args: MultiDict[str, str], titles: dict[int, str]) -> Filters:
    """The filters of an address, without invalid ones. `titles`: the clips that exist, by id."""
    status, platform, clip_id = args.get("status"), args.get("platform"), args.get("clip", type=int)
    state = State(args["state"]) if args.get("state") in list(State) else None
    day = plan_page.day_of(args.get("on"))
    possible = STATES[state] if state else list(Status)
    words = "".join(char if char.isprintable() else " " for char in args.get("q", ""))
    return Filters(
        status=Status(status) if status in possible else None,
        platform=platform if platform in platforms.ADAPTERS else None,
        clip_id=clip_id if clip_id in titles else None,
        words=" ".join(words.split())[:MAX_QUERY],
        state=state,
        due=tuple(Span.of(current_user, day, 1).starts) if day else None,
    )


def _arguments(filters: Filters) -> dict[str, str | int]:
    """The filters as an address's arguments."""
    on = clock.to_zone(filters.due[0], current_user.timezone).date().isoformat() if filters.due else None
    given = {
        "state": filters.state,
        "on": on,
        "status": filters.status,
        "platform": filters.platform,
        "clip": filters.clip_id,
        "q": filters.words,
    }
    return {name: value for name, value in given.items() if value}


def found_ids(args: MultiDict[str, str], most: int) -> list[int]:
    """Ids of all that match the filters of the list, on whatever page, up to so many."""
    filters = _filters(args, history.clips_published(current_user, args.get("clip", type=int)))
    return [one.id for one in history.page(current_user, filters, 1, most).rows]
