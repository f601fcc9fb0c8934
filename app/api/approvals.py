"""Clips that rules hold: for an approval, or because something does not fit."""

from typing import Any

from sqlalchemy import select

from app.api.access import READ, WRITE, current_user
from app.api.blueprint import Blueprint
from app.api.fields import Body, Choice, Inner, Listed, Moment, Number, Text
from app.api.paging import Paged, page, page_of
from app.api.publication_body import PublicationBody, as_bodies
from app.api.rules import ObstacleBody, obstacles
from app.db import db
from app.models import Publication, RuleRun, RunState
from app.services import rule_journal, rule_runs

blueprint = Blueprint("approvals", "Решения по клипам")


class ApprovalBody(Body):
    """Клип, который правило придержало."""

    id = Number(required=True)
    state = Choice(RunState, required=True)
    rule_id = Number(required=True, allow_none=True, metadata={"description": "null: правило удалено"})
    rule_name = Text(required=True)
    clip_id = Number(required=True, allow_none=True, metadata={"description": "null: клип удалён"})
    clip_title = Text(required=True)
    reason = Text(required=True, allow_none=True, metadata={"description": "Код: почему он ждёт"})
    problems = Listed(Inner(ObstacleBody), required=True, metadata={"description": "Что не подошло"})
    created_at = Moment(required=True)


class ReleasedBody(ApprovalBody):
    """Что вышло и что нет."""

    publications = Listed(Inner(PublicationBody), required=True)


ApprovalPage = page_of(ApprovalBody, "ApprovalPage")


@blueprint.endpoint(name="list_approvals", scope=READ, query=Paged, returns=ApprovalPage)
def list_approvals(query: dict[str, Any]) -> dict[str, Any]:
    """Клипы, которые ждут решения, новые первыми."""
    shown = page(rule_journal.held(current_user()), RuleRun.id, query)
    return {**shown, "items": list(map(_body, shown["items"]))}


@blueprint.endpoint("/<int:run_id>/release", method="POST", name="release_clip", scope=WRITE, returns=ReleasedBody)
def release_clip(run_id: int) -> dict[str, Any]:
    """Выпустить: на все аккаунты правила, куда клип сейчас подходит.

    Куда не подошёл, сказано в problems. Если никуда — 409, и клип ждёт дальше.
    """
    released = rule_runs.release(current_user(), run_id)
    ids = [one.id for one in released.made]
    made = db.session.scalars(select(Publication).where(Publication.id.in_(ids)).order_by(Publication.id)).all()
    return _body(released.run) | {"publications": as_bodies(made)}


@blueprint.endpoint("/<int:run_id>/reject", method="POST", name="reject_clip", scope=WRITE, returns=ApprovalBody)
def reject_clip(run_id: int) -> dict[str, Any]:
    """Не выпускать."""
    return _body(rule_runs.reject(current_user(), run_id))


def _body(run: RuleRun) -> dict[str, Any]:
    names = ("id", "state", "rule_id", "rule_name", "clip_id", "clip_title", "reason", "created_at")
    return {name: getattr(run, name) for name in names} | {"problems": obstacles(rule_runs.obstacles_of(run))}
