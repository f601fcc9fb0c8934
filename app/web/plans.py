"""«Тарифы»: what each plan allows; in the demo, changing it by hand."""

from flask import Blueprint, abort, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app import plans, platforms
from app.services import plan_change, withheld
from app.web import responses
from app.web.responses import flash, go

blueprint = Blueprint("plans", __name__)

# Where a new user goes on after the choice: the first page leads here because the plan has no platform.
TO_CONNECT = "connect"


@blueprint.get("/plans")
def page() -> ResponseReturnValue:
    return render_template(
        "plans/page.html",
        plans=plans.PLANS.values(),
        platforms=platforms.ADAPTERS.values(),
        may_choose=current_app.config["DEMO"],
        smaller=plan_change.smaller(current_user) if current_app.config["DEMO"] else (),
        to_connect=request.args.get("to") == TO_CONNECT,
    )


@blueprint.route("/plans/<key>", methods=["GET", "POST"])
def choose(key: str) -> ResponseReturnValue:
    """A dialog before the choice where planned publications would not go out; `told`: how many it has said."""
    if not current_app.config["DEMO"]:
        abort(403)
    lost = plan_change.preview(current_user, key)
    if request.method == "GET" or lost.count > request.form.get("told", 0, int):
        where = withheld.listed(lost.cancelled)
        return responses.dialog("plans/_change.html", heading="Тарифы", plan=plans.PLANS[key], lost=lost, where=where)
    changed = plan_change.change(current_user, key)
    text = f"Теперь у вас тариф {changed.user.plan.title}."
    if changed.cancelled:
        text += f" Отменено запланированных публикаций: {changed.count}."
    if changed.returnable:
        text += f" Можно вернуть запланированных публикаций: {changed.returnable}."
    flash(text, "ok")
    return go(url_for("integrations.page" if request.form.get("to") == TO_CONNECT else ".page"))
