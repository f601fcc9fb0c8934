"""A forgotten password: the request for a letter, and the page that its link opens."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField

from app.problems import NotFound
from app.services import recovery
from app.web.access import public
from app.web.auth import NEEDED
from app.web.responses import blame, flash, form_page, go

blueprint = Blueprint("recovery", __name__, url_prefix="/recovery")


class Ask(FlaskForm):
    email = EmailField("Почта", [NEEDED])


class NewPassword(FlaskForm):
    new = PasswordField("Новый пароль", [NEEDED])


@blueprint.route("", methods=["GET", "POST"])
@public
def ask() -> ResponseReturnValue:
    form, asked = Ask(), False
    if form.validate_on_submit():
        with blame(form):
            recovery.ask(form.email.data, request.remote_addr or "")
            asked = True
    return form_page("recovery/ask.html", form=form, asked=asked)


@blueprint.route("/<signed>", methods=["GET", "POST"])
@public
def choose(signed: str) -> ResponseReturnValue:
    try:
        user = recovery.user_of(signed)
    except NotFound:
        return render_template("recovery/over.html"), 404
    form = NewPassword()
    if form.validate_on_submit():
        with blame(form):
            recovery.set_password(signed, form.new.data)
            flash("Пароль изменён. Войдите с ним.", "ok")
            return go(url_for("auth.sign_in"))
    return form_page("recovery/choose.html", form=form, email=user.email)
