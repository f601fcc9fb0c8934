"""«Настройки → API»: keys for programs. A new one is shown once."""

from flask import Blueprint, current_app, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice

from app.models import Scope
from app.services import api_keys
from app.web.auth import NEEDED
from app.web.confirmation import recently_confirmed
from app.web.responses import blame, flash, form_page, go

blueprint = Blueprint("api_keys", __name__, url_prefix="/settings/api")

SCOPES = {
    Scope.READ: "Только читать",
    Scope.WRITE: "Читать и менять",
}
TERMS = {"30": "30 дней", "90": "90 дней", "365": "Год", "": "Без срока"}


class NewKey(FlaskForm):
    name = StringField("Название", [NEEDED])
    scope = SelectField("Что можно", choices=[SelectChoice(*one) for one in SCOPES.items()])
    days = SelectField("Сколько действует", choices=[SelectChoice(*one) for one in TERMS.items()], default="365")


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template(
        "api/keys.html",
        keys=api_keys.all_of(current_user),
        is_expired=api_keys.is_expired,
        scopes=SCOPES,
        base=_base(),
    )


@blueprint.route("/new", methods=["GET", "POST"])
@recently_confirmed
def create() -> ResponseReturnValue:
    form = NewKey()
    if form.validate_on_submit():
        with blame(form):
            days = int(form.days.data) if form.days.data else None
            made = api_keys.create(current_user, form.name.data, form.scope.data, days)
            return make_response(render_template("api/created.html", key=made.row, secret=made.secret, base=_base()))
    return form_page("api/new.html", form=form)


@blueprint.route("/<int:key_id>/revoke", methods=["GET", "POST"])
@recently_confirmed
def revoke(key_id: int) -> ResponseReturnValue:
    form = FlaskForm()
    if form.validate_on_submit():
        key = api_keys.revoke(current_user, key_id)
        flash(f"Ключ «{key.name}» отозван.", "ok")
        return go(url_for(".page"))
    return form_page("api/revoke.html", form=form, key=api_keys.get(current_user, key_id))


def _base() -> str:
    return current_app.config["PUBLIC_URL"] + "/api/v1"
