"""«Настройки → API → Вебхуки»: addresses that are told what happens, and the history of each."""

from collections.abc import Callable
from datetime import timedelta

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app import clock
from app.db import db
from app.models import DeliveryState, Webhook
from app.problems import Problem
from app.services import webhook_history, webhooks
from app.texts import webhooks as words
from app.web import responses
from app.webhooks import payloads

blueprint = Blueprint("webhooks", __name__, url_prefix="/settings/webhooks")
blueprint.add_app_template_global(words, "webhook_words")

# The page watches what is tried so soon.
SOON = timedelta(seconds=5)


@blueprint.get("")
def page() -> ResponseReturnValue:
    listed = webhooks.all_of(current_user)
    return render_template("webhooks/page.html", listed=listed, waiting=webhook_history.waiting(current_user))


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    if request.method == "POST":
        try:
            webhook, secret = webhooks.create(current_user, *_typed())
            return _secret(webhook, secret, "Вебхук добавлен")
        except Problem as problem:
            return _form(None, problem)
    return _form(None)


@blueprint.route("/<int:webhook_id>/edit", methods=["GET", "POST"])
def edit(webhook_id: int) -> ResponseReturnValue:
    webhook = webhooks.get(current_user, webhook_id)
    if request.method == "POST":
        try:
            webhooks.change(current_user, webhook_id, *_typed())
            return responses.done("Вебхук сохранён.", url_for(".page"), None)
        except Problem as problem:
            return _form(webhook, problem)
    return _form(webhook)


@blueprint.route("/<int:webhook_id>/secret", methods=["GET", "POST"])
def rotate(webhook_id: int) -> ResponseReturnValue:
    webhook = webhooks.get(current_user, webhook_id)
    if request.method == "POST":
        return _secret(webhook, webhooks.rotate(current_user, webhook_id), "Секрет сменён")
    return responses.dialog("webhooks/_rotate.html", webhook=webhook, heading="Новый секрет")


@blueprint.route("/<int:webhook_id>/delete", methods=["GET", "POST"])
def delete(webhook_id: int) -> ResponseReturnValue:
    webhook = webhooks.get(current_user, webhook_id)
    if request.method == "POST":
        webhooks.remove(current_user, webhook_id)
        return responses.done("Вебхук удалён.", url_for(".page"), None)
    return responses.dialog("webhooks/_delete.html", webhook=webhook, heading="Удаление вебхука")


@blueprint.post("/<int:webhook_id>/on")
def turn_on(webhook_id: int) -> ResponseReturnValue:
    count = webhooks.turn_on(current_user, webhook_id)
    text = f"Вебхук включён. Отправляем то, что накопилось: {count}." if count else "Вебхук включён."
    return responses.done(text, url_for(".page"), None)


@blueprint.post("/<int:webhook_id>/off")
def turn_off(webhook_id: int) -> ResponseReturnValue:
    webhooks.turn_off(current_user, webhook_id)
    return responses.done("Вебхук выключен: новые события на него не придут.", url_for(".page"), None)


@blueprint.get("/<int:webhook_id>")
def history(webhook_id: int) -> ResponseReturnValue:
    webhook = webhooks.get(current_user, webhook_id)
    waiting = webhook_history.waiting(current_user)
    return render_template("webhooks/history.html", webhook=webhook, waiting=waiting, **_shown(webhook_id))


@blueprint.get("/<int:webhook_id>/changes")
def changes(webhook_id: int) -> ResponseReturnValue:
    """The list again, while something in it is under way."""
    return render_template(
        "webhooks/_deliveries.html", webhook=webhooks.get(current_user, webhook_id), **_shown(webhook_id)
    )


@blueprint.post("/<int:webhook_id>/test")
def test(webhook_id: int) -> ResponseReturnValue:
    return _after(webhook_id, lambda: webhook_history.test(current_user, webhook_id), "Проверка отправляется.")


@blueprint.post("/<int:webhook_id>/deliveries/<int:delivery_id>/resend")
def resend(webhook_id: int, delivery_id: int) -> ResponseReturnValue:
    return _after(
        webhook_id, lambda: webhook_history.resend(current_user, webhook_id, delivery_id), "Отправляем ещё раз."
    )


@blueprint.post("/<int:webhook_id>/deliveries/<int:delivery_id>/skip")
def skip(webhook_id: int, delivery_id: int) -> ResponseReturnValue:
    return _after(
        webhook_id, lambda: webhook_history.skip(current_user, webhook_id, delivery_id), "Это событие не отправим."
    )


def _after(webhook_id: int, action: Callable[[], object], text: str) -> Response:
    back = url_for(".history", webhook_id=webhook_id)
    try:
        action()
    except Problem as problem:
        return responses.refused(problem.text, 409, back)
    db.session.flush()
    webhook = webhooks.get(current_user, webhook_id)
    fragment = render_template("webhooks/_deliveries.html", webhook=webhook, oob=True, **_shown(webhook_id))
    return responses.done(text, back, fragment)


def _shown(webhook_id: int) -> dict[str, object]:
    shown = webhook_history.page(current_user, webhook_id, request.args.get("page", 1, int))
    soon = clock.now() + SOON
    moves = any(
        one.state == DeliveryState.SENDING or (one.wake_at is not None and one.wake_at <= soon) for one in shown.rows
    )
    return {"shown": shown, "moves": moves}


def _typed() -> tuple[str, str, list[str] | None]:
    sent = request.form
    kinds = None if sent.get("which", "all") == "all" else sent.getlist("kind")
    return sent.get("hook-url", ""), sent.get("hook-name", ""), kinds


def _form(webhook: Webhook | None, problem: Problem | None = None) -> Response:
    if problem:
        db.session.rollback()
        url, name, kinds = _typed()
    else:
        url, name, kinds = (webhook.url, webhook.name, webhook.kinds) if webhook else ("", "", None)
    return responses.dialog(
        "webhooks/_edit.html",
        webhook=webhook,
        url=url,
        name=name,
        kinds=kinds,
        known_kinds=payloads.KINDS,
        problem=problem,
        heading="Вебхук",
    )


def _secret(webhook: Webhook, secret: str, heading: str) -> Response:
    """Shown here and nowhere else; the page below has the webhook already."""
    response = responses.dialog("webhooks/_secret.html", webhook=webhook, secret=secret, heading=heading)
    return responses.reloading(response) if request.htmx else response
