"""Incoming webhooks: which there are. They are made in the settings, where their addresses are shown."""

from typing import Any

from sqlalchemy import select

from app.api.access import READ, current_user
from app.api.blueprint import Blueprint
from app.api.fields import Body, Flag, Moment, Number, Text
from app.api.paging import Paged, page, page_of
from app.models import IncomingHook
from app.services import incoming_hooks

blueprint = Blueprint("incoming-hooks", "Входящие вебхуки")


class IncomingHookBody(Body):
    """Адрес, по которому другая программа присылает ссылки на клипы."""

    id = Number(required=True)
    name = Text(required=True)
    signed = Flag(required=True, metadata={"description": "Принимает только подписанные вызовы"})
    used_at = Moment(required=True, allow_none=True, metadata={"description": "Когда принят последний вызов"})
    created_at = Moment(required=True)


IncomingHookPage = page_of(IncomingHookBody, "IncomingHookPage")


def as_body(hook: IncomingHook) -> dict[str, Any]:
    columns = ("id", "name", "used_at", "created_at")
    return {name: getattr(hook, name) for name in columns} | {"signed": hook.encrypted_secret is not None}


@blueprint.endpoint(name="list_incoming_hooks", scope=READ, query=Paged, returns=IncomingHookPage)
def list_incoming_hooks(query: dict[str, Any]) -> dict[str, Any]:
    """Входящие вебхуки, новые первыми."""
    shown = page(select(IncomingHook).where(IncomingHook.user_id == current_user().id), IncomingHook.id, query)
    return {**shown, "items": list(map(as_body, shown["items"]))}


@blueprint.endpoint("/<int:hook_id>", name="get_incoming_hook", scope=READ, returns=IncomingHookBody)
def get_incoming_hook(hook_id: int) -> dict[str, Any]:
    """Один входящий вебхук."""
    return as_body(incoming_hooks.get(current_user(), hook_id))
