"""Rules of automatic publication: the list, their changes, and what each would do with the last clips."""

from collections.abc import Sequence
from typing import Any

from app.api.access import READ, WRITE, current_user
from app.api.blueprint import Blueprint
from app.api.fields import (
    Answers,
    Body,
    Choice,
    Flag,
    Inner,
    Listed,
    Moment,
    Number,
    Text,
    between,
    count,
    length,
    row_id,
)
from app.api.when import When
from app.models import Rule, Source, WhenKind
from app.problems import Problem
from app.services import rule_dry_runs, rule_times, rules
from app.services.rule_dry_runs import Line
from app.services.rule_plans import Obstacle, Plan
from app.services.rules import Wish

blueprint = Blueprint("rules", "Правила")

_MOST_ACCOUNTS = 100
_DEFAULT_WHEN = {"kind": WhenKind.NOW}
_WHEN = {"description": "now, after или slot; набор слота — тот же, что set_id"}
_TEMPLATE = {"description": "Подстановки: {title}, {text}, {file}, {date}, {source}"}


class AccountOptionsBody(Body):
    """Настройки площадки для одного аккаунта."""

    connection_id = row_id(required=True)
    options = Answers(required=True, metadata={"description": "По имени: GET /connections/{id}"})


class RuleBody(Body):
    """Правило."""

    id = Number(required=True)
    name = Text(required=True)
    enabled = Flag(required=True)
    source = Choice(Source, required=True, allow_none=True)
    source_name = Text(required=True, allow_none=True)
    name_pattern = Text(required=True, allow_none=True)
    set_id = Number(required=True, allow_none=True)
    connection_ids = Listed(Number(), required=True, metadata={"description": "Пусто, если указан набор"})
    title_template = Text(required=True)
    text_template = Text(required=True)
    options = Listed(Inner(AccountOptionsBody), required=True)
    when = When(required=True)
    needs_approval = Flag(required=True)
    daily_limit = Number(required=True, allow_none=True)
    created_at = Moment(required=True)


class RulesBody(Body):
    """Правила по порядку; paused — выключены все разом."""

    items = Listed(Inner(RuleBody), required=True)
    paused = Flag(required=True)


class RuleChangeBody(Body):
    """Что изменить; чего нет, остаётся."""

    name = Text(validate=length(rules.MAX_NAME, 1))
    enabled = Flag(metadata={"description": "Включённое заново действует на клипы, готовые после этого"})
    source = Choice(Source, allow_none=True, metadata={"description": "Откуда пришёл клип; null — откуда угодно"})
    source_name = Text(allow_none=True, validate=length(rules.MAX_SOURCE_NAME))
    name_pattern = Text(
        allow_none=True,
        validate=length(rules.MAX_PATTERN),
        metadata={"description": "Имя клипа или файла: * — любой текст, ? — один знак"},
    )
    set_id = row_id(allow_none=True, metadata={"description": "Набор; тогда connection_ids не нужны"})
    connection_ids = Listed(row_id(), validate=count(_MOST_ACCOUNTS, 0))
    title_template = Text(validate=length(rules.MAX_TITLE, 1), metadata=_TEMPLATE)
    text_template = Text(validate=length(rules.MAX_TEXT), metadata=_TEMPLATE)
    options = Listed(Inner(AccountOptionsBody), validate=count(_MOST_ACCOUNTS, 0))
    when = When(metadata=_WHEN)
    needs_approval = Flag(metadata={"description": "Ждать, пока человек не выпустит"})
    daily_limit = Number(allow_none=True, validate=between(1, rules.MAX_DAILY))


class NewRuleBody(RuleChangeBody):
    """Новое правило."""

    name = Text(required=True, validate=length(rules.MAX_NAME, 1))


class ObstacleBody(Body):
    """Что не подходит."""

    account = Text(required=True, allow_none=True, metadata={"description": "null: дело не в аккаунте"})
    code = Text(required=True)
    detail = Text(required=True)


class DryPublicationBody(Body):
    connection_id = Number(required=True)
    platform = Text(required=True)
    account = Text(required=True)
    title = Text(required=True)
    text = Text(required=True)


class DryLineBody(Body):
    """Клип и что с ним сделало бы правило."""

    clip_id = Number(required=True)
    clip_title = Text(required=True)
    matches = Flag(required=True)
    due_at = Moment(required=True, allow_none=True, metadata={"description": "null: сразу или никогда"})
    publications = Listed(Inner(DryPublicationBody), required=True)
    problems = Listed(Inner(ObstacleBody), required=True, metadata={"description": "С любой из них клип ждёт человека"})


class DryRunBody(Body):
    items = Listed(Inner(DryLineBody), required=True)


@blueprint.endpoint(name="list_rules", scope=READ, returns=RulesBody)
def list_rules() -> dict[str, Any]:
    """Правила по порядку."""
    user = current_user()
    return {"items": [_body(one) for one in rules.all_of(user)], "paused": user.rules_paused_at is not None}


@blueprint.endpoint(
    method="POST", name="create_rule", scope=WRITE, body=NewRuleBody, returns=RuleBody, status=201, refuses=[404]
)
def create_rule(body: dict[str, Any]) -> dict[str, Any]:
    """Создать правило: в конце списка, включённое, если не сказано иное."""
    rule = _saved(body)
    if not body.get("enabled", True):
        rule = rules.switch(current_user(), rule.id, on=False)
    return _body(rule)


@blueprint.endpoint("/<int:rule_id>", name="get_rule", scope=READ, returns=RuleBody)
def get_rule(rule_id: int) -> dict[str, Any]:
    """Одно правило."""
    return _body(rules.get(current_user(), rule_id))


@blueprint.endpoint(
    "/<int:rule_id>", method="PATCH", name="update_rule", scope=WRITE, body=RuleChangeBody, returns=RuleBody
)
def update_rule(rule_id: int, body: dict[str, Any]) -> dict[str, Any]:
    """Изменить правило, включить его или выключить.

    То, что по нему уже запланировано, остаётся.
    """
    user = current_user()
    if body.keys() - {"enabled"}:
        _saved(_known(rules.get(user, rule_id)) | body, rule_id)
    if "enabled" in body:
        rules.switch(user, rule_id, on=body["enabled"])
    return _body(rules.get(user, rule_id))


@blueprint.endpoint("/<int:rule_id>", method="DELETE", name="delete_rule", scope=WRITE)
def delete_rule(rule_id: int) -> None:
    """Удалить правило.

    Что по нему уже запланировано, выйдет; клипы, которые ждали решения, не выйдут.
    """
    rules.remove(current_user(), rule_id)


@blueprint.endpoint("/<int:rule_id>/dry-run", method="POST", name="dry_run_rule", scope=WRITE, returns=DryRunBody)
def dry_run_rule(rule_id: int) -> dict[str, Any]:
    """Что правило сделало бы с последними готовыми клипами. Ничего не публикует."""
    user = current_user()
    return {"items": [_line(one) for one in rule_dry_runs.lines(user, rules.get(user, rule_id))]}


def obstacles(some: Sequence[Obstacle]) -> list[dict[str, Any]]:
    return [{"account": one.label or None, "code": one.code, "detail": one.text} for one in some]


def _known(rule: Rule) -> dict[str, Any]:
    """As a request would say it."""
    names = ("name", "source", "source_name", "name_pattern", "connection_ids", "title_template", "text_template")
    return {name: getattr(rule, name) for name in (*names, "needs_approval", "daily_limit")} | {
        "set_id": rule.account_set_id,
        "options": [{"connection_id": int(one), "options": known} for one, known in rule.options.items()],
        "when": _when(rule),
    }


def _body(rule: Rule) -> dict[str, Any]:
    more = ("id", "enabled", "created_at")
    return _known(rule) | {name: getattr(rule, name) for name in more}


def _when(rule: Rule) -> dict[str, Any] | None:
    own = rule_times.own(rule)
    if own.kind == WhenKind.SLOT:
        return {"kind": WhenKind.SLOT, "set_id": own.set_id} if own.set_id else {"kind": WhenKind.NOW}
    return own.stored()


def _saved(body: dict[str, Any], rule_id: int | None = None) -> Rule:
    """Raises NotFound, Problem."""
    try:
        return rules.save(current_user(), _wish(body), rule_id)
    except Problem as problem:
        if (problem.field or "").startswith("option-"):  # the name of the form's field
            problem.field = f"options.{problem.field.split('-', 2)[2]}"
        raise


def _wish(body: dict[str, Any]) -> Wish:
    """Raises NotFound, Problem."""
    when = body.get("when", _DEFAULT_WHEN)
    set_id = body.get("set_id")
    if when["kind"] == WhenKind.AT:
        raise Problem("rule_time_of_its_own", "when")
    if when["kind"] == WhenKind.SLOT and when["set_id"] != set_id:
        raise Problem("rule_slot_needs_set", "when")
    given = {name: body[name] for name in ("title_template", "text_template", "needs_approval") if name in body}
    return Wish(
        name=body["name"],
        source=body.get("source"),
        source_name=body.get("source_name"),
        name_pattern=body.get("name_pattern"),
        account_set_id=set_id,
        connection_ids=body.get("connection_ids", ()),
        options={one["connection_id"]: one["options"] for one in body.get("options", ())},
        when_kind=when["kind"],
        after_minutes=when.get("minutes"),
        daily_limit=body.get("daily_limit"),
        **given,
    )


def _line(line: Line) -> dict[str, Any]:
    plan = line.plan or Plan([])
    return {
        "clip_id": line.clip.id,
        "clip_title": line.clip.title,
        "matches": line.plan is not None,
        "due_at": plan.time and plan.time.due_at,
        "publications": [
            {
                "connection_id": one.destination.connection.id,
                "platform": one.destination.connection.platform,
                "account": one.destination.connection.account_name,
                "title": one.title,
                "text": one.description,
            }
            for one in plan.drafts
            if one.destination
        ],
        "problems": obstacles(plan.obstacles),
    }
