"""Signing up, in and out."""

from flask import Blueprint, current_app, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired

from app import clock
from app.models import User, load_user
from app.problems import Problem
from app.services import audit_log, second_factor, users
from app.web.access import browser_id, is_local, public
from app.web.responses import blame, form_page, go

blueprint = Blueprint("auth", __name__)

# For requests that no browser has checked.
NEEDED = InputRequired("Заполните это поле.")

# Of a session whose password was right and whose code is awaited.
AWAITS_CODE, CODE_AWAITED_SECONDS = "awaits_code", 5 * 60


class SignUp(FlaskForm):
    name = StringField("Имя", [NEEDED])
    email = EmailField("Почта", [NEEDED])
    password = PasswordField("Пароль", [NEEDED])
    timezone = HiddenField()


class SignIn(FlaskForm):
    email = EmailField("Почта", [NEEDED])
    password = PasswordField("Пароль", [NEEDED])


class SecondFactor(FlaskForm):
    code = StringField("Код", [NEEDED])


@blueprint.route("/sign-up", methods=["GET", "POST"])
@public
def sign_up() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return go(url_for("clips.page"))
    form = SignUp()
    if form.validate_on_submit():
        with blame(form):
            user = users.sign_up(
                email=form.email.data,
                password=form.password.data,
                name=form.name.data,
                timezone=form.timezone.data,
                address=request.remote_addr,
                consents=True,  # by the sentence beside the button
            )
            start_session(user)
            return go(url_for("clips.page"))
    return form_page("auth/sign_up.html", form=form)


@blueprint.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return go(_next())
    form = SignIn()
    if form.validate_on_submit():
        with blame(form):
            user = users.authenticate(form.email.data, form.password.data, request.remote_addr or "")
            if user:
                to = _next()
                if second_factor.is_needed(user):
                    await_code(user)
                    return go(url_for(".code", next=to))
                start_session(user)
                return go(to)
            form.form_errors.append(Problem("wrong_credentials").text)  # not raised: the audit log keeps the failure
    demo_password = users.DEMO_PASSWORD if current_app.config["DEMO"] else None
    return form_page("auth/sign_in.html", form=form, demo_password=demo_password)


@blueprint.route("/sign-in/code", methods=["GET", "POST"])
@public
def code() -> ResponseReturnValue:
    """The second step of a sign-in."""
    user = _awaits_code()
    if user is None:
        return go(url_for(".sign_in", next=request.args.get("next")))
    form = SecondFactor()
    if form.validate_on_submit():
        with blame(form):
            if second_factor.is_right(user, form.code.data):
                audit_log.record(user.id, "signed_in")
                to = _next()
                start_session(user)
                return go(to)
            form.code.errors = [Problem("wrong_code").text]  # not raised: the failure is counted
    return form_page("auth/code.html", form=form)


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    session.clear()
    logout_user()
    return go(url_for(".sign_in"))


def start_session(user: User) -> None:
    """A new session: nothing of the old one is kept."""
    session.clear()
    login_user(user, remember=True)
    browser_id()  # before two tabs need it at once


def await_code(user: User) -> None:
    """A session that is good for nothing but the code: this browser's, for five minutes, until the next sign-out."""
    session.clear()
    session[AWAITS_CODE] = [user.get_id(), int(clock.now().timestamp()) + CODE_AWAITED_SECONDS]


def _awaits_code() -> User | None:
    session_id, until = session.get(AWAITS_CODE, ("", 0))
    return load_user(session_id) if clock.now().timestamp() < until else None


def _next() -> str:
    to = request.args.get("next", "")
    return to if is_local(to) else url_for("clips.page")
