"""Signing up, in and out."""

import hmac

from flask import Blueprint, Response, after_this_request, current_app, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user
from flask_wtf import FlaskForm
from flask_wtf.csrf import generate_csrf
from wtforms import BooleanField, EmailField, HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired

from app import clock
from app.db import db
from app.models import User
from app.problems import Problem
from app.services import audit_log, second_factor, sessions, users
from app.web.access import browser_id, current_session, is_local, public
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
    consent = BooleanField("Даю согласие на обработку персональных данных")
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
                consents=form.consent.data,
            )
            start_session(user)
            return go(url_for("clips.page"))
    return form_page("auth/sign_up.html", form=form, returning=bool(_browser_token()))


@blueprint.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return go(_next())
    form = SignIn()
    if form.validate_on_submit():
        with blame(form):
            user = users.authenticate(form.email.data, form.password.data, request.remote_addr or "", _browser_token())
            if user:
                to = _next()
                if second_factor.is_needed(user):
                    await_code(user)
                    return go(url_for(".code", next=to))
                start_session(user)
                return go(to)
            form.form_errors.append(Problem("wrong_credentials").text)  # not raised: the audit log keeps the failure
    demo_password = users.DEMO_PASSWORD if current_app.config["DEMO"] else None
    return form_page("auth/sign_in.html", form=form, demo_password=demo_password, returning=bool(_browser_token()))


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
    sessions.sign_out(current_session())
    return leave()


def start_session(user: User) -> None:
    """A new session: nothing of the old one is kept. The only place where one begins."""
    session.clear()
    begun = sessions.begin(user, _browser_token(), request.user_agent.string, request.remote_addr or "")
    login_user(user)
    session["token"] = begun.token
    session.permanent = True
    browser_id()  # before two tabs need it at once

    @after_this_request
    def remember_browser(response: Response) -> Response:
        response.set_cookie(
            current_app.config["BROWSER_COOKIE_NAME"],
            begun.browser_token,
            max_age=sessions.BROWSER_KEPT,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
        return response


def leave() -> Response:
    """To the sign-in, and nothing of the session stays in the browser.

    Not "cookies": the session's is deleted by name, and the one by which the browser is known stays, or else strangers
    could use up its attempts and each sign-in would be news.
    """
    session.clear()
    response = go(url_for("auth.sign_in"))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _browser_token() -> str:
    """Of a browser in which a user has signed in before; empty in a stranger's."""
    return request.cookies.get(current_app.config["BROWSER_COOKIE_NAME"], "")


def await_code(user: User) -> None:
    """A session that is good for nothing but the code: this browser's, for five minutes, until the next sign-out."""
    session.clear()
    session[AWAITS_CODE] = [user.id, user.session_key, int(clock.now().timestamp()) + CODE_AWAITED_SECONDS]


def _awaits_code() -> User | None:
    """None once the time is over, or all sessions of the user have been ended."""
    user_id, session_key, until = session.get(AWAITS_CODE, (0, "", 0))
    user = db.session.get(User, user_id) if clock.now().timestamp() < until else None
    return user if user and user.may_sign_in and hmac.compare_digest(user.session_key, session_key) else None


def _next() -> str:
    to = request.args.get("next", "")
    return to if is_local(to) else url_for("clips.page")


@blueprint.get("/session")
@public
def session_state() -> ResponseReturnValue:
    """Who is signed in, and a token for their forms: for a page whose own token is refused (session.js)."""
    return {"user": current_user.id if current_user.is_authenticated else None, "token": generate_csrf()}
