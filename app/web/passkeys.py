"""«Ключи доступа»: adding and removing passkeys, and signing in with one. The script is static/passkeys.js."""

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import StringField

from app.problems import Problem
from app.services import passkeys, second_factor
from app.web.access import browser_id, is_local, public
from app.web.auth import NEEDED, start_session
from app.web.proof import is_proved, proof_form
from app.web.responses import blame, flash, form_page, go

blueprint = Blueprint("passkeys", __name__, url_prefix="/passkeys")
blueprint.add_app_template_global(passkeys.are_available, "passkeys_available")


@blueprint.app_template_global()
def passkey_offered() -> bool:
    """Whether a button for one makes sense: at the sign-in, or to a user who has some."""
    return passkeys.are_available() and not (current_user.is_authenticated and not passkeys.all_of(current_user))


class NewPasskey(FlaskForm):
    name = StringField("Название", [NEEDED])


@blueprint.post("/challenge")
@public
def challenge() -> ResponseReturnValue:
    """What an authenticator is to sign: for a sign-in, or as proof of the user who is signed in."""
    try:
        if current_user.is_authenticated:
            options = passkeys.proof_options(current_user, browser_id())
        else:
            options = passkeys.sign_in_options(browser_id(), request.remote_addr or "")
    except Problem as problem:
        return {"problem": problem.text}, 429
    return Response(options, mimetype="application/json", headers={"Cache-Control": "no-store"})


@blueprint.post("/sign-in")
@public
def sign_in() -> ResponseReturnValue:
    """In place of the password and the code: also while the code is awaited."""
    to = request.args.get("next", "")
    to = to if is_local(to) else url_for("clips.page")
    user = passkeys.sign_in(browser_id(), request.remote_addr or "", request.form.get("passkey", ""))
    if user is None:
        flash(Problem("wrong_passkey").text, "error")  # not raised: the challenge is used up
        return go(url_for("auth.sign_in", next=to))
    start_session(user)
    return go(to)


@blueprint.route("/add", methods=["GET", "POST"])
def add() -> ResponseReturnValue:
    form = proof_form()
    if is_proved(form):
        with blame(form):
            passkeys.begin_adding(current_user, browser_id())
            return go(url_for(".create"))
    return form_page("passkeys/add.html", form=form)


@blueprint.route("/create", methods=["GET", "POST"])
def create() -> ResponseReturnValue:
    """Its name, and the authenticator's turn; the recovery codes where there are none yet."""
    form = NewPasskey()
    if form.validate_on_submit():
        with blame(form):
            if passkeys.add(current_user, browser_id(), form.name.data, request.form.get("passkey", "")):
                flash("Ключ доступа добавлен.", "ok")
                codes = second_factor.first_recovery_codes(current_user)
                return render_template("second_factor/codes.html", codes=codes) if codes else go(_back())
            flash(Problem("passkey_not_added").text, "error")  # not raised: the challenge is used up
            return go(url_for(".create"))
    options = passkeys.adding_options(current_user, browser_id())
    if options is None:
        return go(url_for(".add"))
    return form_page("passkeys/create.html", form=form, options=options)


@blueprint.route("/<int:passkey_id>/remove", methods=["GET", "POST"])
def remove(passkey_id: int) -> ResponseReturnValue:
    passkey = passkeys.find(current_user, passkey_id)
    form = proof_form()
    if is_proved(form):
        passkeys.remove(current_user, passkey_id)
        flash("Ключ доступа удалён.", "ok")
        return go(_back())
    return form_page("passkeys/remove.html", form=form, passkey=passkey)


def _back() -> str:
    return url_for("second_factor.page")
