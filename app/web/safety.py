"""«Настройки → Безопасность»: who came in and what was changed; signing out everywhere."""

from flask import Blueprint, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from app.services import audit_log, users
from app.web.responses import flash, go

blueprint = Blueprint("safety", __name__, url_prefix="/settings/security")


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template("safety/page.html", events=audit_log.latest(current_user))


@blueprint.post("/sign-out")
def sign_out_everywhere() -> ResponseReturnValue:
    users.sign_out_everywhere(current_user)
    session.clear()
    logout_user()
    flash("Вы вышли на всех устройствах.", "ok")
    return go(url_for("accounts.sign_in"))
