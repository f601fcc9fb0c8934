"""«Настройки → Интеграции»: connecting accounts, and letting go of them."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app import platforms, texts
from app.services import connections
from app.services.connections import PlatformCard
from app.services.errors import NotFound, Problem
from app.web import responses

blueprint = Blueprint("connections", __name__, url_prefix="/settings")


@blueprint.get("")
def settings() -> ResponseReturnValue:
    return redirect(url_for(".page"))


@blueprint.get("/integrations")
def page() -> ResponseReturnValue:
    return render_template("connections/page.html", cards=connections.cards(current_user))


@blueprint.route("/integrations/<platform>/connect", methods=["GET", "POST"])
def connect(platform: str) -> ResponseReturnValue:
    card, problem, typed = _card(platform), None, request.form
    if request.method == "POST":
        try:
            connection = connections.connect(current_user, platform, _fields(card))
        except Problem as refusal:
            problem = refusal
        else:
            if connection.choices:
                return responses.dialog("connections/_choose.html", connection=connection)
            said = f"{card.name} подключён: {connection.account_name}."
            if connection.reason:
                said += f" {texts.sentence(connection.reason)}"
            return responses.done(said, url_for(".page"), _fragment(platform))
    return responses.dialog(
        "connections/_connect.html", 422 if problem else 200, card=card, problem=problem, typed=typed
    )


@blueprint.route("/integrations/<int:connection_id>/choose", methods=["GET", "POST"])
def choose(connection_id: int) -> ResponseReturnValue:
    """Of several accounts that one token leads to, the one to publish to."""
    connection = connections.get(current_user, connection_id)
    if request.method == "GET":
        return responses.dialog("connections/_choose.html", connection=connection)
    connection = connections.choose(current_user, connection_id, request.form.get("account", ""))
    name = platforms.ADAPTERS[connection.platform].name
    return responses.done(
        f"{name} подключён: {connection.account_name}.", url_for(".page"), _fragment(connection.platform)
    )


@blueprint.route("/integrations/<int:connection_id>/disconnect", methods=["GET", "POST"])
def disconnect(connection_id: int) -> ResponseReturnValue:
    connection = connections.get(current_user, connection_id)
    if request.method == "GET":
        ending = connections.ending(current_user, connection_id)
        return responses.dialog("connections/_disconnect.html", connection=connection, ending=ending)
    name, platform = connection.account_name or platforms.ADAPTERS[connection.platform].name, connection.platform
    ending = connections.disconnect(current_user, connection_id)
    said = f"Отключено: {name}." + (f" Отменено публикаций: {ending.cancelled}." if ending.cancelled else "")
    if ending.finishing:
        said += f" Заканчиваются сами: {ending.finishing}."
    return responses.done(said, url_for(".page"), _fragment(platform))


def _card(platform: str) -> PlatformCard:
    card = next((card for card in connections.cards(current_user) if card.key == platform), None)
    if card is None:
        raise NotFound
    return card


def _fields(card: PlatformCard) -> dict[str, str]:
    return {field.name: request.form.get(field.name, "") for field in card.form}


def _fragment(platform: str) -> str:
    return render_template("connections/_platform.html", card=_card(platform), oob=True)
