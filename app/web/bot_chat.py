"""«Решать из Telegram»: links a chat with the installation's bot, where a button releases a clip that waits."""

from flask import Blueprint, abort, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services import telegram_chats
from app.web import responses
from app.web.confirmation import recently_confirmed

blueprint = Blueprint("bot_chat", __name__, url_prefix="/settings/rules/telegram")

blueprint.add_app_template_global(telegram_chats.bot_name, "notify_bot")


@blueprint.before_request
def _only_with_a_bot() -> None:
    if not telegram_chats.bot_name():
        abort(404)


@blueprint.get("")
def page() -> ResponseReturnValue:
    return render_template("bot_chat/page.html", chat=telegram_chats.of(current_user))


@blueprint.post("/link")
@recently_confirmed
def link() -> ResponseReturnValue:
    return make_response(render_template("bot_chat/link.html", address=telegram_chats.link_for(current_user)))


@blueprint.post("/unlink")
def unlink() -> ResponseReturnValue:
    telegram_chats.unlink(current_user)
    responses.flash("Чат отвязан: кнопки в нём больше не действуют.", "ok")
    return responses.go(url_for(".page"))
