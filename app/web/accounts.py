"""Signing up, in and out; the profile and the password."""

from flask import Blueprint, current_app, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired

from app.models import User
from app.services import users
from app.services.errors import Problem
from app.web import time_zones
from app.web.access import browser_id, is_local, public
from app.web.responses import blame, flash, go

blueprint = Blueprint("accounts", __name__)

# What a browser's own check says first; without scripts and by hand it is said here.
NEEDED = InputRequired("Заполните это поле.")


class SignUp(FlaskForm):
    name = StringField("Имя", [NEEDED])
    email = EmailField("Почта", [NEEDED])
    password = PasswordField("Пароль", [NEEDED])
    timezone = HiddenField()


class SignIn(FlaskForm):
    email = EmailField("Почта", [NEEDED])
    password = PasswordField("Пароль", [NEEDED])


class Profile(FlaskForm):
    name = StringField("Имя", [NEEDED])
    timezone = SelectField("Часовой пояс", validate_choice=False)  # the service knows more zones than the list


class ChangePassword(FlaskForm):
    present = PasswordField("Нынешний пароль", [NEEDED])
    new = PasswordField("Новый пароль", [NEEDED])


@blueprint.route("/sign-up", methods=["GET", "POST"])
@public
def sign_up() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return go(url_for("clips.page"))
    form = SignUp()
    if form.validate_on_submit():
        try:
            user = users.sign_up(
                email=form.email.data,
                password=form.password.data,
                name=form.name.data,
                timezone=form.timezone.data,
                address=request.remote_addr,
                consents=True,  # the sentence beside the button says so
            )
        except Problem as problem:
            blame(form, problem)
        else:
            _enter(user)
            return go(url_for("clips.page"))
    return _page("accounts/sign_up.html", form)


@blueprint.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return go(_next())
    form = SignIn()
    if form.validate_on_submit():
        try:
            user = users.authenticate(form.email.data, form.password.data, request.remote_addr or "")
        except Problem as problem:
            blame(form, problem)
        else:
            to = _next()
            _enter(user)
            return go(to)
    return _page("accounts/sign_in.html", form, demo_password=_demo_password())


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    session.clear()
    logout_user()
    return go(url_for(".sign_in"))


@blueprint.route("/settings/profile", methods=["GET", "POST"])
def profile() -> ResponseReturnValue:
    form = Profile(obj=current_user)
    form.timezone.choices = time_zones.choices(current_user.timezone)
    if form.validate_on_submit():
        try:
            users.update_profile(current_user, form.name.data, form.timezone.data)
        except Problem as problem:
            blame(form, problem)
        else:
            flash("Профиль сохранён.", "ok")
            return go(url_for(".profile"))
    return _page("accounts/profile.html", form)


@blueprint.route("/settings/password", methods=["GET", "POST"])
def password() -> ResponseReturnValue:
    form = ChangePassword()
    if form.validate_on_submit():
        try:
            users.change_password(current_user, form.present.data, form.new.data)
        except Problem as problem:
            blame(form, problem)
        else:
            _enter(current_user)
            flash("Пароль изменён. На других устройствах нужно войти заново.", "ok")
            return go(url_for(".password"))
    return _page("accounts/password.html", form)


def _enter(user: User) -> None:
    """A new session: nothing of the visitor's old one goes on."""
    session.clear()
    login_user(user, remember=True)
    browser_id()  # before two tabs ask for it at once


def _next() -> str:
    to = request.args.get("next", "")
    return to if is_local(to) else url_for("clips.page")


def _demo_password() -> str | None:
    return users.DEMO_PASSWORD if current_app.config["DEMO"] else None


def _page(template: str, form: FlaskForm, **context) -> ResponseReturnValue:
    return render_template(template, form=form, **context), 422 if form.errors or form.form_errors else 200
