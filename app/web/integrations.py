"""«Настройки → Интеграции»: connecting accounts by a form or a consent page, and disconnecting them."""

from collections.abc import Mapping, Sequence

from flask import Blueprint, Response, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app import platforms, texts
from app.db import db
from app.models import ConnectionStatus, PlatformConnection, Question, QuestionState
from app.problems import Problem
from app.services import connecting, connections, further_accounts, platform_cards, questions
from app.services.further_accounts import Window
from app.web import responses
from app.web.access import writes
from app.web.consent_client import callback_url, client_of, take_consent

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
    card = platform_cards.get(current_user, platform)
    if request.method == "GET":
        return _form(platform)
    fields = {field.name: request.form.get(field.name, "") for field in card.form}
    kept_id = request.form.get("kept", type=int)
    try:
        asked = connecting.connect(current_user, platform, fields, kept_id)
    except Problem as problem:
        db.session.rollback()
        return _form(platform, problem, fields, kept_id)
    return _outcome(asked) if request.htmx else responses.go(url_for(".question", question_id=asked.id))


@blueprint.get("/questions/<int:question_id>")
def question(question_id: int) -> ResponseReturnValue:
    """What a platform that was asked to connect has answered; until it has, a page that loads itself anew."""
    return _outcome(questions.get(current_user, question_id))


@blueprint.get("/questions/<int:question_id>/answer")
def answer(question_id: int) -> ResponseReturnValue:
    """The poll of the open dialog: empty while there is nothing to add to what it shows."""
    asked = questions.get(current_user, question_id)
    if asked.state == QuestionState.WAITING and questions.is_late(asked) == ("late" in request.args):
        return Response(status=204)
    return _outcome(asked)


@blueprint.route("/<int:connection_id>/choose", methods=["GET", "POST"])
def choose(connection_id: int) -> ResponseReturnValue:
    """Of the accounts that one token leads to, those to publish to."""
    if request.method == "POST":
        return _choose(connection_id)
    connection = connections.get(current_user, connection_id)
    if connection.status != ConnectionStatus.CHOOSING:
        return _connected([connection])
    return _accounts_dialog(further_accounts.window(current_user, connection_id))


@blueprint.get("/<int:connection_id>/more")
@writes
def more(connection_id: int) -> ResponseReturnValue:
    """The same for an account that is connected: the platform is asked which others its token leads to.

    `sent`: something was chosen here, and is being connected.
    """
    look = further_accounts.window if "sent" in request.args else further_accounts.open_window
    try:
        return _accounts_dialog(look(current_user, connection_id))
    except Problem as problem:
        return responses.refused(problem.text, 422, url_for(".page"))


@blueprint.get("/<int:connection_id>/accounts")
def accounts(connection_id: int) -> ResponseReturnValue:
    """The poll of the open dialog: empty until the platform's answer is there."""
    window = further_accounts.window(current_user, connection_id)
    if window.waits:
        return Response(status=204)
    if done := _just_connected(window):
        return done
    return render_template("integrations/_accounts.html", window=window)


@blueprint.post("/<int:connection_id>/ask")
def ask(connection_id: int) -> ResponseReturnValue:
    """Once more, after a failure."""
    further_accounts.ask_for_list(current_user, connection_id)
    return _after_post(further_accounts.window(current_user, connection_id))


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
    return _done(text, platform, undo=url_for("undo.restore", undo_id=result.undo_id))


@blueprint.post("/<platform>/consent")
def consent(platform: str) -> ResponseReturnValue:
    client = client_of(platform)
    try:
        connecting.require_plan(current_user, platform)
    except Problem as problem:
        return responses.refused(problem.text, 403, url_for("plans.page"))
    return client.authorize_redirect(callback_url(platform))


@blueprint.get("/<platform>/callback")
@writes
def callback(platform: str) -> ResponseReturnValue:
    client_of(platform)
    arguments = platforms.adapter(platform, current_app.config).callback(request.args.to_dict())
    arguments = {name: arguments[name] for name in PARAMETERS if name in arguments}
    try:
        consent = take_consent(platform, arguments)
        asked = connecting.accept(current_user, platform, consent, arguments)
    except Problem as problem:
        return responses.refused(problem.text, 400, url_for(".page"))
    return responses.go(url_for(".question", question_id=asked.id))


def _outcome(asked: Question) -> Response:
    if asked.state == QuestionState.WAITING:
        late = questions.is_late(asked)
        return _refreshed(responses.dialog("integrations/_asking.html", question=asked, late=late), waits=True)
    if asked.state == QuestionState.ANSWERED:
        connection = connections.get(current_user, asked.answer["connection_id"])
        if connection.status != ConnectionStatus.CHOOSING:
            return _connected([connection])
        if not request.htmx:
            return responses.go(url_for(".choose", connection_id=connection.id))
        return _accounts_dialog(further_accounts.window(current_user, connection.id))
    problem = Problem(asked.reason, **asked.params)
    if asked.kind == "consent":
        return responses.refused(problem.text, 400, url_for(".page"))
    return _form(asked.platform, problem, asked.typed, asked.id)


def _form(
    platform: str, problem: Problem | None = None, typed: Mapping[str, str] | None = None, kept_id: int | None = None
) -> Response:
    card = platform_cards.get(current_user, platform, problem and problem.params)
    kept = connecting.kept_of(current_user, platform, kept_id)
    return responses.dialog("integrations/_connect.html", card=card, problem=problem, typed=typed or {}, kept=kept)


def _refreshed(page: Response, waits: str | bool) -> Response:
    """A dialog polls by its script instead."""
    if waits and not request.htmx:
        page.headers["Refresh"] = REFRESH_SECONDS
    return page


def _choose(connection_id: int) -> Response:
    form, window = request.form, further_accounts.window(current_user, connection_id)
    chosen, field = form.getlist("account"), window.adapter.address_field
    address = form.get(field.name, "") if field else ""
    try:
        further_accounts.connect(current_user, connection_id, chosen, address)
    except Problem as problem:
        db.session.rollback()
        window = further_accounts.window(current_user, connection_id)
        shown = further_accounts.as_sent(window, chosen, address, problem)
        return responses.dialog("integrations/_choose.html", window=shown, problem=problem)
    return _after_post(further_accounts.window(current_user, connection_id))


def _after_post(window: Window) -> Response:
    if not window.waits and (done := _just_connected(window)):
        return done
    if request.htmx:
        return _accounts_dialog(window)
    number = window.connection.id
    if window.connection.status == ConnectionStatus.CHOOSING:
        return responses.go(url_for(".choose", connection_id=number))
    return responses.go(url_for(".more", connection_id=number, sent=1))


def _accounts_dialog(window: Window) -> Response:
    if not window.waits and window.connected:
        return _connected(window.connected)
    return _refreshed(responses.dialog("integrations/_choose.html", window=window), window.waits)


def _just_connected(window: Window) -> Response | None:
    """Where nothing is left to choose."""
    if window.connected:
        return _connected(window.connected)
    was_chosen = window.connection.status == ConnectionStatus.ACTIVE and "more" not in request.values
    return _connected([window.connection]) if was_chosen else None


def _connected(some: Sequence[PlatformConnection]) -> Response:
    platform, [first, *_] = some[0].platform, some
    names = ", ".join(one.account_name for one in some)
    text = f"{platforms.ADAPTERS[platform].name} подключён: {names}."
    if first.reason:
        text += f" {texts.sentence(first.reason)}"
    offers = platform_cards.get(current_user, platform).offers
    if count := sum(offers[one.id].count for one in some if one.id in offers):
        text += f" Можно вернуть запланированных публикаций: {count}."
    return _done(text, platform)


def _done(text: str, platform: str, undo: str | None = None) -> Response:
    card = render_template("integrations/_platform.html", card=platform_cards.get(current_user, platform), oob=True)
    return responses.done(text, url_for(".page"), card, undo=undo)
