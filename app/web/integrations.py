"""«Настройки → Интеграции»: connecting accounts by a form or a consent page, and disconnecting them."""

from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app import platforms, texts
from app.db import db
from app.models import ConnectionStatus, PlatformConnection, Question, QuestionState
from app.problems import Problem
from app.services import connections, platform_cards, questions
from app.web import responses
from app.web.access import writes
from app.web.consent_client import callback_url, client_of, exchange_code

blueprint = Blueprint("integrations", __name__, url_prefix="/settings/integrations")

# A callback's parameters: RFC 6749's, and what VK ID adds (https://id.vk.com/about/business/go/docs/ru/vkid).
PARAMETERS = ("code", "state", "error", "error_description", "device_id", "type", "expires_in", "ext_id")
# Without a script, the page that waits for an answer loads itself anew.
REFRESH_SECONDS = "1"


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template("integrations/page.html", cards=platform_cards.all_of(current_user))


@blueprint.route("/<platform>/connect", methods=["GET", "POST"])
def connect(platform: str) -> ResponseReturnValue:
    card, problem = platform_cards.get(current_user, platform), None
    if request.method == "POST":
        try:
            fields = {field.name: request.form.get(field.name, "") for field in card.form}
            return _accounts_dialog(connections.connect(current_user, platform, fields))
        except Problem as refusal:
            db.session.rollback()
            problem = refusal
    return responses.dialog("integrations/_connect.html", card=card, problem=problem, typed=request.form)


@blueprint.route("/<int:connection_id>/choose", methods=["GET", "POST"])
def choose(connection_id: int) -> ResponseReturnValue:
    """Of several accounts that one token leads to, the one to publish to."""
    if request.method == "POST":
        return _connected(connections.choose(current_user, connection_id, request.form.get("account", "")))
    return _accounts_dialog(connections.get(current_user, connection_id))


@blueprint.get("/<int:connection_id>/accounts")
def accounts(connection_id: int) -> ResponseReturnValue:
    """The poll of the open dialog: empty until the platform's answer is there."""
    connection = connections.get(current_user, connection_id)
    if connection.status == ConnectionStatus.ACTIVE:
        return _connected(connection)
    question, waits = _question(connection)
    if waits:
        return Response(status=204)
    return render_template("integrations/_accounts.html", connection=connection, question=question)


@blueprint.post("/<int:connection_id>/ask")
def ask(connection_id: int) -> ResponseReturnValue:
    """Once more, after a failure."""
    connections.ask_for_accounts(current_user, connection_id)
    return _accounts_dialog(connections.get(current_user, connection_id))


@blueprint.route("/<int:connection_id>/disconnect", methods=["GET", "POST"])
def disconnect(connection_id: int) -> ResponseReturnValue:
    connection = connections.get(current_user, connection_id)
    if request.method == "GET":
        preview = connections.preview_disconnect(current_user, connection_id)
        return responses.dialog("integrations/_disconnect.html", connection=connection, preview=preview)
    name, platform = connection.account_name or platforms.ADAPTERS[connection.platform].name, connection.platform
    result = connections.disconnect(current_user, connection_id)
    text = f"Отключено: {name}." + (f" Отменено публикаций: {result.cancelled}." if result.cancelled else "")
    if result.finishing:
        text += f" Заканчиваются сами: {result.finishing}."
    return _done(text, platform)


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
    try:
        connection = connections.accept(current_user, platform, exchange_code(client, platform, plain), plain)
    except Problem as problem:
        return responses.refused(problem.text, 400, url_for(".page"))
    return _connected(connection)


def _accounts_dialog(connection: PlatformConnection) -> Response:
    if connection.status == ConnectionStatus.ACTIVE:
        return _connected(connection)
    if request.method == "POST" and not request.htmx:
        return responses.go(url_for(".choose", connection_id=connection.id))
    question, waits = _question(connection)
    response = responses.dialog("integrations/_choose.html", connection=connection, question=question)
    if waits and not request.htmx:
        response.headers["Refresh"] = REFRESH_SECONDS
    return response


def _question(connection: PlatformConnection) -> tuple[Question | None, bool]:
    """The newest, and whether it waits for its answer."""
    question = questions.newest(current_user, "accounts", connection.id)
    return question, question is not None and question.state == QuestionState.WAITING


def _connected(connection: PlatformConnection) -> Response:
    text = f"{platforms.ADAPTERS[connection.platform].name} подключён: {connection.account_name}."
    if connection.reason:
        text += f" {texts.sentence(connection.reason)}"
    return _done(text, connection.platform)


def _done(text: str, platform: str) -> Response:
    card = render_template("integrations/_platform.html", card=platform_cards.get(current_user, platform), oob=True)
    return responses.done(text, url_for(".page"), card)
