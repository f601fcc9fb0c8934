"""Confirming an e-mail: the page that a letter's link opens, and another letter."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm

from app.problems import NotFound
from app.services import email_confirmation
from app.web.access import path_of, public
from app.web.responses import done, flash, form_page, go

blueprint = Blueprint("email", __name__, url_prefix="/email")
blueprint.add_app_template_global(email_confirmation.is_needed, "must_confirm_email")


@blueprint.post("")
def ask() -> ResponseReturnValue:
    email_confirmation.ask(current_user)
    return done(f"Письмо на {current_user.email} в пути. Нет его? Загляните в «Спам».", path_of(request.referrer))


@blueprint.route("/<signed>", methods=["GET", "POST"])
@public
def confirm(signed: str) -> ResponseReturnValue:
    """Only the POST confirms: mail filters open links too."""
    try:
        user = email_confirmation.user_of(signed)
    except NotFound:
        return render_template("email/over.html"), 404
    form = FlaskForm()
    if form.validate_on_submit():
        email_confirmation.confirm(signed)
        flash("Почта подтверждена.", "ok")
        return go(url_for("clips.page"))
    return form_page("email/confirm.html", form=form, user=user)
