"""«Тарифы»: what each plan allows; in the demo, changing it by hand."""

from flask import Blueprint, abort, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app import plans, platforms
from app.services import users
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
        to_connect=request.args.get("to") == TO_CONNECT,
    )


@blueprint.post("/plans/<key>")
def choose(key: str) -> ResponseReturnValue:
    if not current_app.config["DEMO"]:
        abort(403)
    user = users.set_plan(current_user.email, key)
    flash(f"Теперь у вас тариф {user.plan.title}.", "ok")
    return go(url_for("integrations.page" if request.form.get("to") == TO_CONNECT else ".page"))
