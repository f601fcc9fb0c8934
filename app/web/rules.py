"""«Настройки → Автопубликация»: rules, their order and switches, the dry run, what they have done."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.db import db
from app.problems import NotFound, Problem
from app.services import connection_list, rule_dry_runs, rule_journal, rule_overviews, rules
from app.web import asking, responses, rule_form
from app.web.filters import plural

blueprint = Blueprint("rules", __name__, url_prefix="/settings/rules")


@blueprint.get("")
def page() -> ResponseReturnValue:
    shown = rule_journal.history(current_user, request.args.get("page", 1, int))
    return render_template(
        "rules/page.html",
        overviews=rule_overviews.all_of(current_user),
        shown=shown,
        entries=rule_journal.describe(current_user, shown.rows),
    )


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    return _edit(None)


@blueprint.route("/<int:rule_id>/edit", methods=["GET", "POST"])
def edit(rule_id: int) -> ResponseReturnValue:
    return _edit(rule_id)


@blueprint.post("/new/dry-run")
def dry_run_new() -> ResponseReturnValue:
    return _dry_run(None)


@blueprint.post("/<int:rule_id>/dry-run")
def dry_run(rule_id: int) -> ResponseReturnValue:
    return _dry_run(rule_id)


@blueprint.post("/<int:rule_id>/on")
def switch_on(rule_id: int) -> ResponseReturnValue:
    name = rules.switch(current_user, rule_id, on=True).name
    return _changed(f"Правило «{name}» включено: сработает на следующих клипах.", rule_id)


@blueprint.post("/<int:rule_id>/off")
def switch_off(rule_id: int) -> ResponseReturnValue:
    name = rules.switch(current_user, rule_id, on=False).name
    return _changed(f"Правило «{name}» выключено.", rule_id)


@blueprint.post("/<int:rule_id>/up")
def up(rule_id: int) -> ResponseReturnValue:
    rules.move(current_user, rule_id, -1)
    return _changed("Правило теперь раньше.", rule_id)


@blueprint.post("/<int:rule_id>/down")
def down(rule_id: int) -> ResponseReturnValue:
    rules.move(current_user, rule_id, 1)
    return _changed("Правило теперь позже.", rule_id)


@blueprint.route("/<int:rule_id>/delete", methods=["GET", "POST"])
def delete(rule_id: int) -> ResponseReturnValue:
    if request.method == "POST":
        rejected = rules.remove(current_user, rule_id)
        waited = plural(rejected, "клип, который ждал", "клипа, которые ждали", "клипов, которые ждали")
        responses.flash("Правило удалено." + (f" Не выйдут {waited} решения." if rejected else ""), "ok")
        return responses.go(url_for(".page"))
    rule = rules.get(current_user, rule_id)
    return responses.dialog("rules/_delete.html", rule=rule, held=rules.held_by(rule), heading="Удаление правила")


@blueprint.post("/all-on")
def all_on() -> ResponseReturnValue:
    rules.switch_all(current_user, on=True)
    return _changed("Автопубликация включена: правила сработают на следующих клипах.")


@blueprint.post("/all-off")
def all_off() -> ResponseReturnValue:
    rules.switch_all(current_user, on=False)
    return _changed("Автопубликация выключена. Что уже запланировано, выйдет.")


def _changed(text: str, rule_id: int | None = None) -> Response:
    """The list comes back whole: the order, the ends of it and the one switch depend on each other."""
    if request.htmx:
        overviews = rule_overviews.all_of(current_user)
        return responses.done(
            text, url_for(".page"), render_template("rules/_list.html", overviews=overviews, oob=True)
        )
    return responses.done(text, url_for(".page", _anchor=f"rule-{rule_id}" if rule_id else None))


def _edit(rule_id: int | None) -> ResponseReturnValue:
    problem = None
    asking.ask(connection_list.usable(current_user))
    if request.method == "POST" and not asking.is_look():
        try:
            wish = rule_form.wish()
            for account in rules.accounts_of(current_user, rules.build(current_user, wish)):
                asking.require_shown(account, f"option-{account.id}-")
            rules.save(current_user, wish, rule_id)
            responses.flash("Правило добавлено и включено." if rule_id is None else "Правило сохранено.", "ok")
            return responses.go(url_for(".page"))
        except Problem as refusal:
            db.session.rollback()
            problem = refusal
    return _form(rule_id, problem)


@blueprint.get("/options/<int:connection_id>")
def options(connection_id: int) -> ResponseReturnValue:
    """The poll of a form: empty while the platform has not answered."""
    rule_id = request.args.get("rule_id", type=int)
    shown = rule_form.of(rules.get(current_user, rule_id) if rule_id is not None else None)
    asked = next((one for one in shown.asked if one.account.id == connection_id and one.look), None)
    if asked is None:
        raise NotFound
    if asking.is_waited_for(asked.look):
        return Response(status=204)
    return render_template("rules/_options_asked.html", asked=asked, rule_id=rule_id, problem=None)


def _dry_run(rule_id: int | None) -> ResponseReturnValue:
    """Of what is typed, saved or not; it needs no name for that."""
    if rule_id is not None:
        rules.get(current_user, rule_id)
    problem, lines, minutes = None, None, None
    try:
        wish = rule_form.wish()
        rule = rules.build(current_user, replace(wish, name=wish.name.strip() or "Правило"))
        lines, minutes = rule_dry_runs.lines(current_user, rule), rule.after_minutes
    except Problem as refusal:
        problem = refusal
    if request.htmx:
        return responses.form_page("rules/_dry_run.html", lines=lines, problem=problem, minutes=minutes)
    return _form(rule_id, problem, lines=lines, minutes=minutes)


def _form(rule_id: int | None, problem: Problem | None = None, **dry_run: Any) -> Response:
    rule = rules.get(current_user, rule_id) if rule_id is not None else None
    return responses.form_page(
        "rules/form.html",
        rule_id=rule_id,
        sheet=rule_form.of(rule),
        problem=problem,
        **dry_run,
        limits=rule_form.limits(),
        fields=rule_form.FIELDS,
    )
