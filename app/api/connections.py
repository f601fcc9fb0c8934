"""Accounts where clips can go: their state, and what each platform takes."""

from collections.abc import Sequence
from typing import Any

from flask import current_app

from app import platforms, texts
from app.api.access import READ, current_user
from app.api.blueprint import Blueprint
from app.api.fields import Answers, Body, Choice, Flag, Inner, Listed, Moment, Number, Seconds, Text
from app.models import ConnectionStatus, PlatformConnection
from app.platforms.base import Limits
from app.platforms.options import Option, Select
from app.platforms.options import Text as TextOption
from app.problems import NotFound
from app.services import connection_list

blueprint = Blueprint("connections", "Аккаунты")


class LimitsBody(Body):
    """Что принимает площадка; null — предела мы не знаем."""

    max_bytes = Number(required=True, allow_none=True)
    min_seconds = Seconds(required=True, allow_none=True)
    max_seconds = Seconds(required=True, allow_none=True)
    max_title = Number(required=True, allow_none=True)
    max_description = Number(required=True, allow_none=True)
    max_text = Number(required=True, allow_none=True, metadata={"description": "Название и описание вместе"})
    vertical_or_square = Flag(required=True)


class OptionBody(Body):
    """Настройка публикации: значение задаётся в options по имени."""

    name = Text(required=True)
    kind = Choice(("select", "checkbox", "text"), required=True)
    label = Text(required=True)
    help = Text(required=True)
    required = Flag(required=True)
    choices = Answers(required=True, allow_none=True, metadata={"description": "Значения и что они значат"})
    max_length = Number(required=True, allow_none=True)


class ConnectionBody(Body):
    """Подключённый аккаунт."""

    id = Number(required=True)
    platform = Text(required=True)
    account = Text(required=True, metadata={"description": "Имя аккаунта"})
    url = Text(required=True, allow_none=True)
    status = Choice(ConnectionStatus, required=True)
    reason = Text(required=True, allow_none=True)
    detail = Text(required=True, allow_none=True)
    created_at = Moment(required=True)
    limits = Inner(LimitsBody, required=True)
    options = Listed(Inner(OptionBody), required=True)


class ConnectionsBody(Body):
    items = Listed(Inner(ConnectionBody), required=True)


@blueprint.endpoint(name="list_connections", scope=READ, returns=ConnectionsBody)
def list_connections() -> dict[str, Any]:
    """Подключённые аккаунты."""
    return {"items": [_connection(one) for one in connection_list.all_of(current_user())]}


@blueprint.endpoint("/<int:connection_id>", name="get_connection", scope=READ, returns=ConnectionBody)
def get_connection(connection_id: int) -> dict[str, Any]:
    """Один аккаунт: его состояние, пределы площадки и настройки публикации."""
    for one in connection_list.all_of(current_user()):
        if one.id == connection_id:
            return _connection(one)
    raise NotFound


def _connection(one: PlatformConnection) -> dict[str, Any]:
    adapter = platforms.ADAPTERS[one.platform]
    return {
        "id": one.id,
        "platform": one.platform,
        "account": one.account_name,
        "url": one.account_url,
        "status": one.status,
        "reason": one.reason,
        "detail": texts.sentence(one.reason) if one.reason else None,
        "created_at": one.created_at,
        "limits": _limits(adapter.limits(current_app.config)),
        "options": _options(adapter.options),
    }


def _limits(limits: Limits) -> dict[str, Any]:
    return {name: getattr(limits, name) for name in LimitsBody().fields}


def _options(declared: Sequence[Option]) -> list[dict[str, Any]]:
    common = ("name", "kind", "label", "help", "required")
    return [
        {name: getattr(one, name) for name in common}
        | {
            "choices": dict(one.choices) if isinstance(one, Select) else None,
            "max_length": one.max_length if isinstance(one, TextOption) else None,
        }
        for one in declared
    ]
