"""«План»: a month or a week of what goes out when, moving its items, and adding to a day."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from flask import Blueprint, Response, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from app import clock, platforms, texts
from app.db import db
from app.models import Publication, Status
from app.problems import NotFound, Problem
from app.services import clip_list, clips, plan, plan_moves
from app.services.plan import Item
from app.services.plan_moves import Moved
from app.texts import moments
from app.web import clip_cards, due_time, notifications, plan_page, responses
from app.web.clips import known_versions
from app.web.filters import plural

blueprint = Blueprint("plan", __name__, url_prefix="/plan")

# A time of an item as addresses have it: UTC, in minutes.
MINUTE = "%Y-%m-%dT%H:%MZ"
_MOST_TIMES = 50
_OPEN = re.compile(r"(\d{1,18}):(\d{1,18})")
_STAYED = {
    Status.PUBLISHING: "уже публикуется",
    Status.PUBLISHED: "уже вышел",
    Status.FAILED: "не вышел",
}


@blueprint.get("")
def page() -> ResponseReturnValue:
    asked = plan_page.asked(request.args)
    context = plan_page.context(asked)
    if request.htmx:
        response = make_response(render_template("plan/_calendar.html", **context))
        opened = clip_cards.shown().open_id
        response.headers["HX-Push-Url"] = url_for(".page", **asked.arguments, clip=opened)
        return response
    return render_template("plan/page.html", opened=clip_cards.opened(), **context)


@blueprint.get("/changes")
def changes() -> ResponseReturnValue:
    """The poll: the calendar as a whole where anything in it has changed, and the open clip. Mostly one row of sums."""
    asked = plan_page.asked(request.args)
    fragments = list(clip_cards.changed_panel(known_versions(_OPEN, "open")))
    if request.args.get("known") != plan.version(current_user, asked.span(), asked.filters):
        fragments.append(plan_page.render(asked))
    return Markup("").join([*fragments, notifications.bell()]) if fragments else ("", 204)


@blueprint.route("/items/move", methods=["GET", "POST"])
def move() -> ResponseReturnValue:
    """A clip's items, `from` their times, to another time: all that it has scheduled where none is named.

    The window, a drag and the keys send the same.
    """
    clip_id, times = request.values.get("clip", 0, int), _times()
    try:
        if request.method == "POST":
            return _moved(clip_id, plan_moves.move(current_user, clip_id, times, due_time.sent(), spaced=_spaced()))
        return _window(clip_id, times)
    except Problem as problem:
        db.session.rollback()
        if problem.field:
            return _window(clip_id, times, problem)
        return _overtaken(clip_id, problem)


def _window(clip_id: int, times: Sequence[datetime], problem: Problem | None = None) -> Response:
    """The form; what was typed stays in it."""
    found = plan_moves.of_clip(current_user, clip_id, times)
    scheduled = [one for one in found if one.status == Status.SCHEDULED]
    return responses.dialog(
        "plan/_move.html",
        clip=clips.get(current_user, clip_id),
        publications=found,
        times=sorted({minute(one.due_at) for one in scheduled}),
        when=due_time.typed() if problem else due_time.scheduled(scheduled[0]),
        spaced=_spaced(),
        problem=problem,
        heading="Перенос",
    )


def _spaced() -> bool:
    return request.form.get("spacing") == "keep"


def _moved(clip_id: int, result: Moved) -> Response:
    undo = url_for("undo.restore", undo_id=result.undo.id) if result.undo else None
    now_on = clock.to_zone(result.due_at, current_user.timezone).date()
    fragments = clip_cards.cards([clips.get(current_user, clip_id)])
    return responses.done(_said(result), url_for(".page", on=now_on.isoformat()), fragments, undo=undo)


def _said(result: Moved) -> str:
    if not result.stayed:
        return f"Перенесено: {moments.near(result.due_at, current_user.timezone)}."
    total = len(result.moved) + len(result.stayed)
    why = ", ".join(f"{_name(one)} {_STAYED.get(one.status, 'остаётся на месте')}" for one in result.stayed)
    return f"Перенесено на {len(result.moved)} из {plural(total, 'площадки', 'площадок', 'площадок')}: {why}."


def _name(publication: Publication) -> str:
    return platforms.ADAPTERS[publication.platform].name


def _overtaken(clip_id: int, problem: Problem) -> Response:
    """Another tab or a worker was faster: says so, and the page shows what is true now."""
    fragments = clip_cards.cards([clips.get(current_user, clip_id)])
    return responses.overtaken(problem.text, url_for(".page"), fragments)


def _times() -> list[datetime]:
    """Raises Problem where an address has been changed by hand."""
    try:
        given = request.values.getlist("from")[:_MOST_TIMES]
        return [datetime.strptime(text, MINUTE).replace(tzinfo=UTC) for text in given]
    except ValueError:
        raise Problem("stale_page") from None


@blueprint.app_template_global("item_minute")
def minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime(MINUTE)


@blueprint.app_template_global("item_states")
def states(item: Item) -> str:
    """«Запланировано на 28.11.2026 10:00: VK, Анна. Ошибка: Telegram, Канал.»"""
    places: dict[str, list[str]] = {}
    for mark in item.marks:
        name = platforms.ADAPTERS[mark.platform].name
        places.setdefault(mark.status, []).append(f"{name}, {mark.account_name}")
    return " ".join(f"{_status(item, status)}: {'; '.join(names)}." for status, names in places.items())


def _status(item: Item, status: str) -> str:
    if status != Status.SCHEDULED:
        return texts.STATUSES[status]
    return f"{texts.STATUSES[status]} на {moments.exact(item.due_at, current_user.timezone)}"


@blueprint.get("/add")
def add() -> ResponseReturnValue:
    """«+» on a day: which of the ready clips. A press on one opens its publish window with that time."""
    day = plan_page.day_of(request.args.get("on"))
    if day is None:
        raise NotFound
    words = clip_list.clean(request.args.get("q", ""))
    found = clip_list.page(current_user, clip_list.Filters(words=words, state=clip_list.State.READY))
    context = {
        "day": day,
        "at": request.args.get("at", ""),
        "due": plan_page.free_time(day, request.args.get("at", "")),
        "words": words,
        "shown": found,
    }
    if request.htmx and request.htmx.target == "add-list":
        return render_template("plan/_add_list.html", **context)
    return responses.dialog("plan/_add.html", heading="Новая публикация", **context)
