"""What is asked for before second factors change: the password, and once there is a factor, a code or a passkey."""

from flask import request
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField

from app.problems import Problem
from app.services import passkeys, second_factor, users
from app.web.access import browser_id
from app.web.auth import NEEDED
from app.web.responses import blame


class Code(FlaskForm):
    code = StringField("Код", [NEEDED])


class Password(FlaskForm):
    password = PasswordField("Нынешний пароль", [NEEDED])


def proof_form() -> FlaskForm:
    return Code() if second_factor.is_needed(current_user) else Password()


def is_proved(form: FlaskForm) -> bool:
    """Whether what was sent is right; the form says what is not.

    A wrong code or passkey raises nothing, or its count would be rolled back.
    """
    passkey = request.form.get("passkey", "") if form.is_submitted() else ""
    if not passkey and not form.validate_on_submit():
        return False
    with blame(form):
        if passkey:
            if passkeys.is_right(current_user, browser_id(), passkey):
                return True
            form.form_errors.append(Problem("wrong_passkey").text)
        elif isinstance(form, Code):
            if second_factor.is_right(current_user, form.code.data):
                return True
            form.code.errors = [Problem("wrong_code").text]
        else:
            users.require_password(current_user, form.password.data)
            return True
    return False
