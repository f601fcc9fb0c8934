"""«Вход с кодом»: setting up a code application, its recovery codes, its removal; passkeys are listed here too."""

import segno
from flask import Blueprint, current_app, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from app.problems import Problem
from app.services import passkeys, second_factor
from app.web.proof import Code, is_proved, proof_form
from app.web.responses import blame, flash, form_page, go

blueprint = Blueprint("second_factor", __name__, url_prefix="/settings/second-factor")


@blueprint.route("", methods=["GET", "POST"])
def page() -> ResponseReturnValue:
    """What is set up; a POST with the proof begins the set-up of an application."""
    form = proof_form()
    if is_proved(form):
        with blame(form):
            second_factor.begin(current_user)
            return go(url_for(".confirm"))
    return form_page(
        "second_factor/page.html",
        form=form,
        is_on=second_factor.has_application(current_user),
        has_factor=second_factor.is_needed(current_user),
        is_missing=second_factor.must_be_set_up(current_user),
        passkeys=passkeys.all_of(current_user),
        public_url=current_app.config["PUBLIC_URL"],
        named_address=passkeys.named_address(),
        codes_left=second_factor.recovery_codes_left(current_user),
    )


@blueprint.route("/confirm", methods=["GET", "POST"])
def confirm() -> ResponseReturnValue:
    """The key as QR code and text, until a first code confirms it."""
    form, key = Code(), second_factor.unconfirmed_key(current_user)
    if key is None:
        return go(url_for(".page"))
    if form.validate_on_submit():
        with blame(form):
            if codes := second_factor.confirm(current_user, form.code.data):
                return _show_codes(codes)
            form.code.errors = [Problem("wrong_code").text]  # not raised: the failure is counted
    picture = segno.make(second_factor.address_for_app(current_user, key), micro=False)
    qr = Markup(picture.svg_inline(scale=5, light="#fff", title="QR-код для приложения"))
    return form_page("second_factor/confirm.html", form=form, key=key, qr=qr)


@blueprint.route("/codes", methods=["GET", "POST"])
def codes() -> ResponseReturnValue:
    """New recovery codes, for a code or a passkey."""
    form = Code()
    if is_proved(form):
        return _show_codes(second_factor.renew_recovery_codes(current_user))
    return form_page("second_factor/renew.html", form=form)


@blueprint.route("/remove", methods=["GET", "POST"])
def remove() -> ResponseReturnValue:
    if not second_factor.has_application(current_user):
        return go(url_for(".page"))
    form = Code()
    if is_proved(form):
        second_factor.remove_application(current_user)
        flash("Код из приложения выключен.", "ok")
        return go(url_for(".page"))
    return form_page("second_factor/remove.html", form=form)


def _show_codes(codes: list[str]) -> ResponseReturnValue:
    return render_template("second_factor/codes.html", codes=codes)
