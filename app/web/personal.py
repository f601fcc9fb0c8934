"""Personal data: the page about it, taking it along, and the end of an account."""

from flask import Blueprint, Response, current_app, render_template, session, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user
from flask_wtf import FlaskForm
from wtforms import PasswordField

from app.services import data_export
from app.services.errors import Problem
from app.web.access import public
from app.web.accounts import NEEDED
from app.web.responses import blame, flash, go

blueprint = Blueprint("personal", __name__)


class DeleteAccount(FlaskForm):
    password = PasswordField("Пароль", [NEEDED])


@blueprint.get("/privacy")
@public
def privacy() -> ResponseReturnValue:
    return render_template(
        "personal/privacy.html",
        operator=current_app.config["OPERATOR_NAME"],
        contact=current_app.config["OPERATOR_CONTACT"],
    )


@blueprint.post("/settings/data")
def export() -> Response:
    """A POST: it is written down under «Безопасность»."""
    answer = Response(stream_with_context(data_export.export(current_user)), mimetype="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="vezde-data.json"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.route("/settings/delete", methods=["GET", "POST"])
def delete() -> ResponseReturnValue:
    form = DeleteAccount()
    if form.validate_on_submit():
        try:
            data_export.delete_account(current_user, form.password.data)
        except Problem as problem:
            blame(form, problem)
        else:
            session.clear()
            logout_user()
            flash("Аккаунт и всё, что в нём было, удалены.", "ok")
            return go(url_for("accounts.sign_in"))
    status = 422 if form.errors or form.form_errors else 200
    return render_template("personal/delete.html", form=form, held=data_export.held(current_user)), status
