"""The plan in the calendar of a phone: the dialog that turns it on, and the feed at its secret address."""

from flask import Blueprint, Response, current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.services import plan_feed
from app.web import responses
from app.web.access import public

blueprint = Blueprint("plan_feed", __name__, url_prefix="/plan/feed")


@blueprint.get("")
def settings() -> ResponseReturnValue:
    return _dialog()


@blueprint.post("/renew")
def renew() -> ResponseReturnValue:
    """«Включить» and «Обновить адрес»."""
    plan_feed.renew(current_user)
    return _dialog()


@blueprint.post("/off")
def turn_off() -> ResponseReturnValue:
    plan_feed.turn_off(current_user)
    return responses.done("Календарь в телефоне выключен: его адрес больше не работает.", url_for("plan.page"))


@blueprint.get("/<int:user_id>/<key>.ics")
@public
def feed(user_id: int, key: str) -> Response:
    """For programs: without a sign-in and without cookies."""
    user = plan_feed.opened(user_id, key, request.remote_addr or "")
    headers = {"Referrer-Policy": "no-referrer", "Content-Disposition": 'inline; filename="vezde.ics"'}
    return Response(plan_feed.document(user), content_type="text/calendar; charset=utf-8", headers=headers)


def _dialog() -> Response:
    address = None
    if current_user.feed_version is not None:
        path = url_for(".feed", user_id=current_user.id, key=plan_feed.key(current_user))
        address = current_app.config["PUBLIC_URL"] + path
    return responses.dialog("plan/_feed.html", address=address, heading="Календарь в телефоне")
