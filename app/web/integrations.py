"""«Настройки → Интеграции»: connecting accounts by a form or a consent page, and disconnecting them."""

from urllib.parse import urlencode

import requests
import structlog
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.flask_client import OAuthError
from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app import platforms, texts
from app.problems import NotFound, Problem
from app.services import connections
from app.services.connections import PlatformCard
from app.web import responses
from app.web.access import writes
from app.web.consent_client import callback_url, client_of, exchange_code

blueprint = Blueprint("integrations", __name__, url_prefix="/settings/integrations")
log = structlog.get_logger(__name__)

# A callback's parameters: RFC 6749's, and what VK ID adds (https://id.vk.com/about/business/go/docs/ru/vkid).
PARAMETERS = ("code", "state", "error", "error_description", "device_id", "type", "expires_in", "ext_id")


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template("integrations/page.html", cards=connections.cards(current_user))


@blueprint.route("/<platform>/connect", methods=["GET", "POST"])
def connect(platform: str) -> ResponseReturnValue:
    card, problem, typed = _card(platform), None, request.form
    if request.method == "POST":
        try:
            connection = connections.connect(current_user, platform, _fields(card))
        except Problem as refusal:
            problem = refusal
        else:
            if connection.choices:
                return responses.dialog("integrations/_choose.html", connection=connection)
            said = f"{card.name} подключён: {connection.account_name}."
            if connection.reason:
                said += f" {texts.sentence(connection.reason)}"
            return responses.done(said, url_for(".page"), _fragment(platform))
    return responses.dialog(
        "integrations/_connect.html", 422 if problem else 200, card=card, problem=problem, typed=typed
    )


@blueprint.route("/<int:connection_id>/choose", methods=["GET", "POST"])
def choose(connection_id: int) -> ResponseReturnValue:
    """Of several accounts that one token leads to, the one to publish to."""
    connection = connections.get(current_user, connection_id)
    if request.method == "GET":
        return responses.dialog("integrations/_choose.html", connection=connection)
    connection = connections.choose(current_user, connection_id, request.form.get("account", ""))
    name = platforms.ADAPTERS[connection.platform].name
    return responses.done(
        f"{name} подключён: {connection.account_name}.", url_for(".page"), _fragment(connection.platform)
    )


@blueprint.route("/<int:connection_id>/disconnect", methods=["GET", "POST"])
def disconnect(connection_id: int) -> ResponseReturnValue:
    connection = connections.get(current_user, connection_id)
    if request.method == "GET":
        ending = connections.ending(current_user, connection_id)
        return responses.dialog("integrations/_disconnect.html", connection=connection, ending=ending)
    name, platform = connection.account_name or platforms.ADAPTERS[connection.platform].name, connection.platform
    ending = connections.disconnect(current_user, connection_id)
    said = f"Отключено: {name}." + (f" Отменено публикаций: {ending.cancelled}." if ending.cancelled else "")
    if ending.finishing:
        said += f" Заканчиваются сами: {ending.finishing}."
    return responses.done(said, url_for(".page"), _fragment(platform))


@blueprint.post("/<platform>/consent")
def consent(platform: str) -> ResponseReturnValue:
    client = client_of(platform)
    try:
        connections.require_plan(current_user, platform)
    except Problem as problem:
        return responses.refused(problem.text, 403, url_for("plans.page"))
    return client.authorize_redirect(callback_url(platform))


@blueprint.get("/<platform>/callback")
@writes
def callback(platform: str) -> ResponseReturnValue:
    client = client_of(platform)
    arguments = request.args.to_dict()
    plain = platforms.adapter(platform, current_app.config).callback(arguments)
    if plain != arguments:
        # By hand: `url_for` takes some names (`_external`, `_scheme`) for options of its own.
        query = urlencode({name: plain[name] for name in PARAMETERS if name in plain})
        return redirect(f"{url_for('.callback', platform=platform)}?{query}", 303)
    page = url_for(".page")
    name = platforms.ADAPTERS[platform].name
    try:
        connection = connections.accept(current_user, platform, exchange_code(client, platform, plain), plain)
    except MismatchingStateError:
        return responses.refused(
            f"{name} не подключён: это подключение устарело, уже использовано или начато в другом браузере. "
            f"Начните ещё раз: «Подключить {name}».",
            400,
            page,
        )
    except OAuthError as error:
        log.info("consent was not given", platform=platform, error=error.error)
        if error.error == "access_denied":
            return responses.refused(f"{name} не подключён: вы не дали доступ. Подключите, когда захотите.", 400, page)
        return responses.refused(f"{name} не подключён: платформа не приняла запрос. Начните ещё раз.", 400, page)
    except requests.RequestException as error:
        log.warning("consent could not be finished", platform=platform, error=type(error).__name__)
        return responses.refused(f"{name} не отвечает. Подождите минуту и попробуйте ещё раз.", 502, page)
    except Problem as problem:
        return responses.refused(problem.text, 400, page)
    return responses.done(f"{name} подключён: {connection.account_name}.", page)


def _card(platform: str) -> PlatformCard:
    card = next((card for card in connections.cards(current_user) if card.key == platform), None)
    if card is None:
        raise NotFound
    return card


def _fields(card: PlatformCard) -> dict[str, str]:
    return {field.name: request.form.get(field.name, "") for field in card.form}


def _fragment(platform: str) -> str:
    return render_template("integrations/_platform.html", card=_card(platform), oob=True)
