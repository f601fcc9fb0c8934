"""«Настройки»: profile, password, «Безопасность», the user's data and its deletion."""

from flask import Blueprint, Response, redirect, render_template, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import PasswordField, SelectField, StringField

from app.services import audit_log, data_export, second_factor, sessions, user_agents, user_deletion, users
from app.web import time_zones
from app.web.access import current_session
from app.web.auth import NEEDED, leave, start_session
from app.web.confirmation import recently_confirmed
from app.web.responses import blame, flash, form_page, go

blueprint = Blueprint("settings", __name__, url_prefix="/settings")


class Profile(FlaskForm):
    name = StringField("Имя", [NEEDED])
    timezone = SelectField("Часовой пояс", validate_choice=False)  # the service knows more zones than the list


class ChangePassword(FlaskForm):
    present = PasswordField("Нынешний пароль", [NEEDED])
    new = PasswordField("Новый пароль", [NEEDED])


class DeleteUser(FlaskForm):
    password = PasswordField("Пароль", [NEEDED])


@blueprint.get("")
def index() -> ResponseReturnValue:
    return redirect(url_for("integrations.page"))


@blueprint.route("/profile", methods=["GET", "POST"])
def profile() -> ResponseReturnValue:
    form = Profile(obj=current_user)
    form.timezone.choices = time_zones.choices(current_user.timezone)
    if form.validate_on_submit():
        with blame(form):
            moved = users.update_profile(current_user, form.name.data, form.timezone.data)
            moved_text = f" Клипы в очереди теперь выходят по новому поясу: {moved}." if moved else ""
            flash(f"Профиль сохранён.{moved_text}", "ok")
            return go(url_for(".profile"))
    return form_page("settings/profile.html", form=form)


@blueprint.route("/password", methods=["GET", "POST"])
@recently_confirmed
def password() -> ResponseReturnValue:
    form = ChangePassword()
    if form.validate_on_submit():
        with blame(form):
            users.change_password(current_user, form.present.data, form.new.data)
            start_session(current_user._get_current_object())
            flash("Пароль изменён. На других устройствах нужно войти заново.", "ok")
            return go(url_for(".password"))
    return form_page("settings/password.html", form=form)


@blueprint.get("/security")
def security() -> ResponseReturnValue:
    return render_template(
        "settings/security.html",
        events=audit_log.latest(current_user),
        sessions=sessions.all_of(current_user),
        current=current_session(),
        describe=user_agents.describe,
        has_second_factor=second_factor.is_needed(current_user),
    )


@blueprint.post("/security/sessions/<int:session_id>/end")
def end_session(session_id: int) -> ResponseReturnValue:
    sessions.end(current_user, session_id)
    flash("Сеанс завершён.", "ok")
    return go(url_for(".security"))


@blueprint.post("/security/sessions/end-others")
def end_other_sessions() -> ResponseReturnValue:
    sessions.end_others(current_user, current_session().id)
    flash("Остальные сеансы завершены.", "ok")
    return go(url_for(".security"))


@blueprint.post("/data")
@recently_confirmed
def export() -> Response:
    """A POST: it adds a line to «Безопасность»."""
    response = Response(stream_with_context(data_export.export(current_user)), mimetype="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="vezde-data.json"'
    return response


@blueprint.route("/delete", methods=["GET", "POST"])
@recently_confirmed
def delete() -> ResponseReturnValue:
    form = DeleteUser()
    if form.validate_on_submit():
        with blame(form):
            user_deletion.delete_user(current_user, form.password.data)
            response = leave()
            flash("Аккаунт и всё, что в нём было, удалены.", "ok")
            return response
    return form_page("settings/delete.html", form=form, affected=user_deletion.affected(current_user))
