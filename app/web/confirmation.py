"""«Это вы?»: password, and code where one is set up, again before what a stolen session must not do."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import Blueprint, Response, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField

from app.problems import Problem
from app.services import passkeys, second_factor, sessions, users
from app.web.access import browser_id, current_session, is_local, path_of
from app.web.auth import NEEDED
from app.web.responses import blame, go

blueprint = Blueprint("confirmation", __name__, url_prefix="/settings/confirm")

P = ParamSpec("P")

# A form that was sent to a guarded view goes along in the confirmation's, whose own fields are these.
_SENT = "confirm-sent"
_OWN = ("csrf_token", "confirm-password", "confirm-code", "passkey", _SENT)


class Confirm(FlaskForm):
    password = PasswordField("Пароль", [NEEDED])
    code = StringField("Код")  # of users with a second factor


def recently_confirmed(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """The view is for a session whose user has given the password within the last ten minutes; any other is asked for
    it first and comes back then, with the form that was sent.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if sessions.is_confirmed(current_session()):
            return view(*args, **kwargs)
        if request.htmx:
            return go(url_for("confirmation.page", next=path_of(request.htmx.current_url)))
        if request.method == "GET":
            return go(url_for("confirmation.page", next=request.full_path.rstrip("?")))
        return make_response(_page(Confirm(formdata=None, prefix="confirm"), request.path, sent=True), 403)

    return guarded


@blueprint.route("", methods=["GET", "POST"])
def page() -> ResponseReturnValue:
    to = request.args.get("next", "")
    to = to if is_local(to) else url_for("settings.security")
    form, sent = Confirm(prefix="confirm"), _SENT in request.form
    if form.validate_on_submit():
        with blame(form):
            users.require_password(current_user, form.password.data)
            if _has_factor(form):
                users.note_confirmed(current_user)
                session["token"] = sessions.confirm(current_session())
                # 307: the browser sends the form once more, to where it was meant for.
                return redirect(to, 307) if sent else go(to)
            wrong = "wrong_passkey" if request.form.get("passkey") else "wrong_code"
            form.code.errors = [Problem(wrong).text]  # not raised: the failure is counted
    return make_response(_page(form, to, sent), 422 if form.errors else 200)


def _has_factor(form: Confirm) -> bool:
    if not second_factor.is_needed(current_user):
        return True
    if passkey := request.form.get("passkey"):
        return passkeys.is_right(current_user, browser_id(), passkey)
    return second_factor.is_right(current_user, form.code.data or "")


def _page(form: Confirm, to: str, sent: bool) -> Response:
    carried = [(name, one) for name, one in request.form.items(multi=True) if sent and name not in _OWN]
    if sent:
        carried.append((_SENT, "1"))
    asks_code = second_factor.is_needed(current_user)
    return make_response(
        render_template("settings/confirm.html", form=form, to=to, carried=carried, asks_code=asks_code)
    )
