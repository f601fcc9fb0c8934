"""Accounts where clips can go: their state, and what each platform takes."""

from collections.abc import Sequence
from typing import Any

from flask import current_app

from app import platforms, texts
from app.api.access import READ, WRITE, current_user
from app.api.blueprint import Blueprint
from app.api.fields import Answers, Body, Choice, Flag, Inner, Listed, Moment, Number, Seconds, Text
from app.models import ConnectionStatus, PlatformConnection, QuestionState
from app.platforms.base import Limits
from app.platforms.options import Option, Select
from app.platforms.options import Text as TextOption
from app.problems import NotFound
from app.services import asked_options, connection_list, connections

blueprint = Blueprint("connections", "Аккаунты")

_STATES = tuple(QuestionState)


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
    off = Text(required=True, allow_none=True, metadata={"description": "Почему выбрать нельзя; null — можно"})
    only_if = Answers(
        required=True,
        allow_none=True,
        metadata={"description": "Считается, только пока у этой настройки это значение"},
    )


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


class AskedOptionsBody(Body):
    """Что можно выбрать на аккаунте, как площадка сказала последний раз."""

    state = Choice(_STATES, required=True, metadata={"description": "waiting: площадку сейчас спрашивают"})
    reason = Text(required=True, allow_none=True, metadata={"description": "Код: почему площадка не ответила"})
    detail = Text(required=True, allow_none=True, metadata={"description": "То же по-русски"})
    asked_at = Moment(required=True, allow_none=True, metadata={"description": "null: площадка ещё не отвечала"})
    account = Text(required=True, allow_none=True, metadata={"description": "Имя аккаунта на площадке сейчас"})
    avatar_url = Text(required=True, allow_none=True)
    max_seconds = Seconds(required=True, allow_none=True, metadata={"description": "Самый длинный клип аккаунта"})
    refusal = Text(required=True, allow_none=True, metadata={"description": "Почему сейчас не примет ничего"})
    items = Listed(Inner(OptionBody), required=True)


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


@blueprint.endpoint("/<int:connection_id>/options", name="get_connection_options", scope=READ, returns=AskedOptionsBody)
def get_connection_options(connection_id: int) -> dict[str, Any]:
    """Настройки публикации на аккаунте: что площадка о них сказала последний раз."""
    return _account_options(connections.get(current_user(), connection_id))


@blueprint.endpoint(
    "/<int:connection_id>/options",
    method="POST",
    name="ask_connection_options",
    scope=WRITE,
    returns=AskedOptionsBody,
    status=202,
)
def ask_connection_options(connection_id: int) -> dict[str, Any]:
    """Спросить площадку, что можно выбрать на аккаунте сейчас.

    Ответ, когда он придёт, покажет `GET` по тому же адресу: спрашивайте, пока state — waiting.
    """
    one = connections.get(current_user(), connection_id)
    if asked_options.is_asked(one):
        asked_options.ask(one.user_id, [one.id])
    return _account_options(one)


def _account_options(one: PlatformConnection) -> dict[str, Any]:
    look = asked_options.looks(current_user(), [one], {}).get(one.id)
    question, answer = (look.question, look.said) if look else (None, None)
    failed = question is not None and question.state == QuestionState.FAILED
    return {
        "state": question.state if question else QuestionState.ANSWERED,
        "reason": question.reason if failed else None,
        "detail": texts.sentence(question.reason, question.params) if failed else None,
        "asked_at": one.options_asked_at,
        "account": answer.name if answer else None,
        "avatar_url": answer.avatar_url if answer else None,
        "max_seconds": answer.max_seconds if answer else None,
        "refusal": (look.refusal or None) if look else None,
        "items": _options(asked_options.declared(one)),
    }


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
        "options": _options(asked_options.declared(one)),
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
            "off": one.off or None,
            "only_if": dict([one.shown_when]) if one.shown_when else None,
        }
        for one in declared
    ]
