"""Outgoing webhooks and their deliveries."""

from typing import Any

from sqlalchemy import select

from app import texts
from app.api.access import READ, WRITE, current_user
from app.api.blueprint import Blueprint
from app.api.fields import Body, Choice, Inner, Listed, Moment, Number, Text, count, length
from app.api.paging import Paged, page, page_of
from app.models import PING, DeliveryState, Webhook, WebhookDelivery, WebhookState
from app.services import webhook_history, webhooks
from app.texts.webhooks import ERRORS
from app.webhooks import addresses, payloads

blueprint = Blueprint("webhooks", "Вебхуки")

_EVENTS = {"description": "Какие события присылать; null — все, и будущие тоже"}
_KINDS = tuple(payloads.KINDS)


class WebhookBody(Body):
    """Вебхук: адрес, на который приходят события."""

    id = Number(required=True)
    name = Text(required=True)
    url = Text(required=True, metadata={"format": "uri"})
    events = Listed(Text(), required=True, allow_none=True, attribute="kinds", metadata=_EVENTS)
    state = Choice(
        WebhookState,
        required=True,
        metadata={"description": "paused: остановили мы, события копятся; off: выключен, события не копятся"},
    )
    reason = Text(required=True, allow_none=True, metadata={"description": "Код: почему остановлен"})
    detail = Text(required=True, allow_none=True, metadata={"description": "То же по-русски"})
    failing_since = Moment(required=True, allow_none=True, metadata={"description": "С этих пор ничего не доставлено"})
    previous_secret_until = Moment(
        required=True, allow_none=True, metadata={"description": "До тех пор подписывает и прежний секрет"}
    )
    created_at = Moment(required=True)


class NewWebhookBody(WebhookBody):
    """Вебхук и его секрет."""

    secret = Text(required=True, metadata={"description": "Секрет подписи; больше его не прочесть"})


class WebhooksBody(Body):
    items = Listed(Inner(WebhookBody), required=True)


def _url(**more: Any) -> Text:
    return Text(validate=length(addresses.MAX_LENGTH, 1), metadata={"example": "https://example.ru/hook"}, **more)


def _events(**more: Any) -> Listed:
    return Listed(Choice(_KINDS), allow_none=True, validate=count(len(_KINDS)), metadata=_EVENTS, **more)


class CreateWebhookBody(Body):
    url = _url(required=True)
    name = Text(load_default="", validate=length(webhooks.MAX_NAME), metadata={"description": "Без него — имя сервера"})
    events = _events(load_default=None)


class ChangeWebhookBody(Body):
    url = _url()
    name = Text(validate=length(webhooks.MAX_NAME))
    events = _events()
    state = Choice(
        (WebhookState.ACTIVE, WebhookState.OFF), metadata={"description": "active: включить, и что накопилось уйдёт"}
    )


class DeliveryBody(Body):
    """Доставка одного события."""

    id = Number(required=True)
    event = Choice((*payloads.KINDS, PING), required=True, attribute="kind")
    message_id = Text(required=True, metadata={"description": "Заголовок webhook-id: один у всех попыток"})
    clip_id = Number(required=True, allow_none=True)
    state = Choice(DeliveryState, required=True)
    tries = Number(required=True)
    status_code = Number(required=True, allow_none=True, metadata={"description": "Статус последнего ответа"})
    error = Text(required=True, allow_none=True, metadata={"description": "Код: чем кончилась последняя попытка"})
    detail = Text(required=True, allow_none=True, metadata={"description": "То же по-русски"})
    response = Text(required=True, attribute="excerpt", metadata={"description": "Начало ответа"})
    took_ms = Number(required=True, allow_none=True)
    tried_at = Moment(required=True, allow_none=True)
    next_try_at = Moment(required=True, allow_none=True)
    created_at = Moment(required=True)


DeliveryPage = page_of(DeliveryBody, "DeliveryPage")


@blueprint.endpoint(name="list_webhooks", scope=READ, returns=WebhooksBody)
def list_webhooks() -> dict[str, Any]:
    """Все вебхуки."""
    return {"items": [_webhook(one) for one in webhooks.all_of(current_user())]}


@blueprint.endpoint(
    method="POST", name="create_webhook", scope=WRITE, body=CreateWebhookBody, returns=NewWebhookBody, status=201
)
def create_webhook(body: dict[str, Any]) -> dict[str, Any]:
    """Добавить вебхук.

    Секрет подписи есть только в этом ответе.
    """
    webhook, secret = webhooks.create(current_user(), body["url"], body["name"], body["events"])
    return {**_webhook(webhook), "secret": secret}


@blueprint.endpoint("/<int:webhook_id>", name="get_webhook", scope=READ, returns=WebhookBody)
def get_webhook(webhook_id: int) -> dict[str, Any]:
    """Один вебхук."""
    return _webhook(webhooks.get(current_user(), webhook_id))


@blueprint.endpoint(
    "/<int:webhook_id>", method="PATCH", name="update_webhook", scope=WRITE, body=ChangeWebhookBody, returns=WebhookBody
)
def update_webhook(webhook_id: int, body: dict[str, Any]) -> dict[str, Any]:
    """Изменить, включить или выключить вебхук."""
    webhook = webhooks.get(current_user(), webhook_id)
    known = {"url": webhook.url, "name": webhook.name, "events": webhook.kinds}
    url, name, events = ({**known, **body}[field] for field in known)
    webhooks.change(current_user(), webhook_id, url, name, events)
    if body.get("state") == WebhookState.ACTIVE:
        webhooks.turn_on(current_user(), webhook_id)
    elif body.get("state") == WebhookState.OFF:
        webhooks.turn_off(current_user(), webhook_id)
    return _webhook(webhooks.get(current_user(), webhook_id))


@blueprint.endpoint("/<int:webhook_id>", method="DELETE", name="delete_webhook", scope=WRITE)
def delete_webhook(webhook_id: int) -> None:
    """Удалить вебхук и историю его доставок."""
    webhooks.remove(current_user(), webhook_id)


@blueprint.endpoint(
    "/<int:webhook_id>/rotate", method="POST", name="rotate_webhook_secret", scope=WRITE, returns=NewWebhookBody
)
def rotate_webhook_secret(webhook_id: int) -> dict[str, Any]:
    """Сменить секрет.

    Сутки события подписаны и новым, и прежним: получатель успевает перейти.
    """
    secret = webhooks.rotate(current_user(), webhook_id)
    return {**_webhook(webhooks.get(current_user(), webhook_id)), "secret": secret}


@blueprint.endpoint(
    "/<int:webhook_id>/test", method="POST", name="test_webhook", scope=WRITE, returns=DeliveryBody, status=201
)
def test_webhook(webhook_id: int) -> dict[str, Any]:
    """Отправить проверочное событие ping."""
    return _delivery(webhook_history.test(current_user(), webhook_id))


@blueprint.endpoint(
    "/<int:webhook_id>/deliveries", name="list_webhook_deliveries", scope=READ, query=Paged, returns=DeliveryPage
)
def list_webhook_deliveries(webhook_id: int, query: dict[str, Any]) -> dict[str, Any]:
    """История доставок за 30 дней."""
    webhook = webhooks.get(current_user(), webhook_id)
    of_webhook = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id)
    found = page(of_webhook, WebhookDelivery.id, query)
    return {**found, "items": [_delivery(one) for one in found["items"]]}


@blueprint.endpoint(
    "/<int:webhook_id>/deliveries/<int:delivery_id>/resend",
    method="POST",
    name="resend_webhook_delivery",
    scope=WRITE,
    returns=DeliveryBody,
)
def resend_webhook_delivery(webhook_id: int, delivery_id: int) -> dict[str, Any]:
    """Отправить событие ещё раз, с тем же webhook-id."""
    return _delivery(webhook_history.resend(current_user(), webhook_id, delivery_id))


def _webhook(one: Webhook) -> dict[str, Any]:
    columns = {name: getattr(one, name) for name in ("id", "name", "url", "kinds", "state", "failing_since")}
    return columns | {
        "reason": one.pause_reason,
        "detail": texts.sentence(one.pause_reason) if one.pause_reason else None,
        "previous_secret_until": one.previous_until,
        "created_at": one.created_at,
    }


def _delivery(one: WebhookDelivery) -> dict[str, Any]:
    columns = {column.key: getattr(one, column.key) for column in WebhookDelivery.__table__.columns}
    waits = one.state == DeliveryState.PENDING
    return columns | {
        "detail": ERRORS[one.error] if one.error else None,
        "next_try_at": one.wake_at if waits else None,
    }
