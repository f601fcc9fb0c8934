"""«Настройки → Наборы»: sets of accounts, their weekly slots, their pause."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.db import db
from app.models import Slot
from app.problems import Problem
from app.services import account_sets, connection_list, rules, set_overviews, slot_changes, slots
from app.texts import moments
from app.web import responses, time_zones
from app.web.filters import plural

blueprint = Blueprint("account_sets", __name__, url_prefix="/settings/sets")

# What the form for new slots has ticked at first: «пн–пт».
WORKDAYS = tuple(range(5))


@blueprint.get("")
def page() -> ResponseReturnValue:
    return _page()


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    return _edit(None)


@blueprint.route("/<int:account_set_id>/edit", methods=["GET", "POST"])
def edit(account_set_id: int) -> ResponseReturnValue:
    return _edit(account_set_id)


@blueprint.route("/<int:account_set_id>/delete", methods=["GET", "POST"])
def delete(account_set_id: int) -> ResponseReturnValue:
    problem = None
    if request.method == "POST":
        try:
            left = slot_changes.remove_set(current_user, account_set_id)
            text = "Набор удалён." + (f" {_keep_their_time(left)}" if left else "")
            responses.flash(text, "ok")
            return responses.go(url_for(".page"))
        except Problem as refusal:
            db.session.rollback()
            problem = refusal
    overview = set_overviews.get(current_user, account_set_id)
    return responses.dialog(
        "account_sets/_delete.html",
        overview=overview,
        rules=rules.using_set(current_user, account_set_id),
        problem=problem,
        heading="Удаление набора",
    )


@blueprint.post("/<int:account_set_id>/slots")
def add_slots(account_set_id: int) -> ResponseReturnValue:
    """What is typed stays where it is refused. The buttons of the best hours name theirs in the address."""
    weekdays, typed = request.values.getlist("weekday", int), request.values.get("times", "")
    try:
        added = slots.add(current_user, account_set_id, weekdays, slots.parse_times(typed))
    except Problem as problem:
        db.session.rollback()
        refused = {"refused": account_set_id, "problem": problem, "weekdays": weekdays, "typed": typed}
        if not request.htmx:
            return _page(**refused)
        overview = set_overviews.get(current_user, account_set_id)
        return make_response(render_template("account_sets/_set.html", overview=overview, **_form(**refused)), 422)
    return _changed(account_set_id, f"Добавлено слотов: {added}." if added else "Эти слоты в наборе уже есть.")


@blueprint.post("/<int:account_set_id>/pause")
def pause(account_set_id: int) -> ResponseReturnValue:
    waiting = slot_changes.pause(current_user, account_set_id)
    return _changed(account_set_id, "Набор на паузе." + (f" Ждут клипы: {waiting}." if waiting else ""))


@blueprint.post("/<int:account_set_id>/resume")
def resume(account_set_id: int) -> ResponseReturnValue:
    resumed = slot_changes.resume(current_user, account_set_id)
    text = "Набор снова работает."
    if resumed.moved:
        missed = plural(resumed.moved, "клипа", "клипов", "клипов")
        text += f" Время прошло у {missed}: они перенесены в ближайшие свободные слоты."
    return _changed(account_set_id, text)


@blueprint.route("/slots/<int:slot_id>", methods=["GET", "POST"])
def slot(slot_id: int) -> ResponseReturnValue:
    """Another day or time."""
    if request.method == "GET":
        return _slot(slots.get(current_user, slot_id))
    try:
        times = slots.parse_times(request.form.get("times", ""))
        if len(times) != 1:
            raise Problem("slot_time_missing", "times")
        moved = slot_changes.change(current_user, slot_id, request.form.get("weekday", -1, int), times[0])
    except Problem as problem:
        db.session.rollback()
        return _slot(slots.get(current_user, slot_id), problem)
    text = f"Слот перенесён, и с ним {plural(moved, 'клип', 'клипа', 'клипов')}." if moved else "Слот сохранён."
    return _changed(slots.get(current_user, slot_id).account_set_id, text)


@blueprint.post("/slots/<int:slot_id>/delete")
def delete_slot(slot_id: int) -> ResponseReturnValue:
    account_set_id = slots.get(current_user, slot_id).account_set_id
    try:
        left = slot_changes.remove(current_user, slot_id)
    except Problem as problem:
        db.session.rollback()
        return _slot(slots.get(current_user, slot_id), problem)
    return _changed(account_set_id, "Слот удалён." + (f" {_keep_their_time(left)}" if left else ""))


def _page(**refused: Any) -> Response:
    return responses.form_page(
        "account_sets/page.html",
        overviews=set_overviews.all_of(current_user),
        zone=time_zones.label(current_user.timezone),
        **_form(**refused),
    )


def _form(
    refused: int | None = None, problem: Problem | None = None, weekdays: Sequence[int] = WORKDAYS, typed: str = ""
) -> dict[str, Any]:
    """What the form for new slots shows; `refused`: the set at which something else was typed than at the others."""
    return {"refused": refused, "problem": problem, "weekdays": weekdays, "typed": typed, "workdays": WORKDAYS}


def _changed(account_set_id: int, text: str) -> Response:
    overview = set_overviews.get(current_user, account_set_id)
    fragment = render_template("account_sets/_set.html", overview=overview, oob=True, **_form())
    return responses.done(text, url_for(".page", _anchor=f"set-{account_set_id}"), fragment)


def _slot(one: Slot, problem: Problem | None = None) -> Response:
    overview = set_overviews.get(current_user, one.account_set_id)
    waiting = [item.due_at for item in slots.waiting_in([one])]
    sent = request.form if problem else {}
    return responses.dialog(
        "account_sets/_slot.html",
        slot=one,
        overview=overview,
        waiting=waiting,
        weekday=sent.get("weekday", str(one.weekday)),
        typed=sent.get("times", moments.of_day(one.minute)),
        problem=problem,
        heading="Слот",
    )


def _edit(account_set_id: int | None) -> ResponseReturnValue:
    """Name and accounts of a set, or of a new one."""
    name, chosen, problem = "", [], None
    if account_set_id is not None:
        one = account_sets.get(current_user, account_set_id)
        name, chosen = one.name, one.connection_ids
    if request.method == "POST":
        name, chosen = request.form.get("set-name", ""), request.form.getlist("connection", int)
        try:
            account_sets.save(current_user, name, chosen, account_set_id)
            responses.flash("Набор сохранён.", "ok")
            return responses.go(url_for(".page"))
        except Problem as refusal:
            db.session.rollback()
            problem = refusal
    return responses.dialog(
        "account_sets/_edit.html",
        account_set_id=account_set_id,
        accounts=connection_list.all_of(current_user),
        name=name,
        chosen=chosen,
        problem=problem,
        heading="Набор",
    )


def _keep_their_time(clips: int) -> str:
    return plural(clips, "клип выйдет", "клипа выйдут", "клипов выйдут") + " в своё время."
