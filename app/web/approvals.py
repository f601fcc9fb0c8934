"""«Ждут решения»: clips that rules hold, to be released or not, one or several at once."""

from collections.abc import Sequence

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.db import db
from app.problems import NotFound, Problem
from app.services import rule_journal, rule_runs
from app.web import responses
from app.web.filters import plural
from app.web.input_guard import row_id

blueprint = Blueprint("approvals", __name__, url_prefix="/settings/rules/approvals")

blueprint.add_app_template_global(lambda: rule_journal.held_count(current_user), "held_count")
blueprint.add_app_template_global(rule_journal.MOST_HELD, "most_held")


@blueprint.get("")
def page() -> ResponseReturnValue:
    shown = rule_journal.held_page(current_user, request.args.get("page", 1, int))
    lines = rule_journal.describe_held(current_user, shown.rows)
    return render_template("rules/approvals.html", shown=shown, lines=lines)


@blueprint.post("/release")
def release() -> ResponseReturnValue:
    """Each by itself: one that fits nowhere does not keep back the others."""
    released, left = 0, []
    for run_id in _chosen():
        try:
            with db.session.begin_nested():
                one = rule_runs.release(current_user, run_id)
        except NotFound:
            continue  # deleted meanwhile
        except Problem as problem:
            left.append(problem.text)
            continue
        released += bool(one.made)
        left += [obstacle.text for obstacle in one.left_out]
    if left and not released:
        return responses.refused(left[0], 422, url_for(".page"))
    said = _said(released, "вышел или запланирован", "вышли или запланированы", "вышли или запланированы")
    return _done(" ".join([said, *dict.fromkeys(left)]))


@blueprint.post("/reject")
def reject() -> ResponseReturnValue:
    rejected = 0
    for run_id in _chosen():
        try:
            rule_runs.reject(current_user, run_id)
            rejected += 1
        except (NotFound, Problem):
            continue  # decided in another tab
    return _done(_said(rejected, "не выйдет", "не выйдут", "не выйдут"))


def _chosen() -> Sequence[int]:
    """One, by its own button, or those that are ticked."""
    if one := request.form.get("one", type=row_id):
        return rule_journal.held_ids(current_user, [one])
    return rule_journal.held_ids(current_user, request.form.getlist("run", row_id))


def _said(number: int, one: str, few: str, many: str) -> str:
    if not number:
        return "Отметьте клипы." if not request.form.get("one") else "Об этом клипе уже решили."
    return plural(number, f"клип {one}", f"клипа {few}", f"клипов {many}") + "."


def _done(text: str) -> ResponseReturnValue:
    responses.flash(text, "ok")
    return responses.go(url_for(".page"))
