"""Publications: made one by one, for a set or in bulk; their list, their history, and what can be done with them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app import texts
from app.api.access import READ, WRITE, current_user
from app.api.blueprint import Blueprint
from app.api.errors import AllRefused, as_dict
from app.api.paging import page
from app.api.publication_body import (
    PublicationBody,
    PublicationPage,
    PublicationWithHistoryBody,
    ResultsBody,
    as_bodies,
    as_body,
)
from app.api.publication_requests import BatchBody, ConfirmBody, MoveBody, NewPublicationsBody, PublicationFilters
from app.db import db
from app.models import Clip, Publication, User, WhenKind
from app.paging import indexed_eq
from app.problems import NotFound, Problem
from app.services import account_sets, clips, history, moves, publications, retries
from app.services import when as times
from app.services.drafts import Choice as Wish
from app.services.drafts import Item
from app.services.history import STATES, State
from app.services.moves import Move
from app.services.when import Due

blueprint = Blueprint("publications", "Публикации")

_BATCH_BYTES = 16 << 20
# What can be done with the first of those that were made.
_LINKS = {
    name: {"operationId": name, "parameters": {"publication_id": "$response.body#/items/0/publication/id"}}
    for name in (
        *("get_publication", "get_publication_statistics", "move_publication", "publish_now", "cancel_publication"),
        *("retry_publication", "resend_publication", "confirm_publication"),
    )
}
_MADE = {"responses": {201: {"links": _LINKS}}}

Result = Publication | Problem | NotFound


@blueprint.endpoint(
    method="POST",
    name="create_publications",
    scope=WRITE,
    body=NewPublicationsBody,
    returns=ResultsBody,
    status=201,
    refuses=[404],
    document=_MADE,
)
def create_publications(body: dict[str, Any]) -> dict[str, Any]:
    """Опубликовать клип: сейчас, в назначенное время или в ближайший слот.

    На каждый аккаунт — свой результат: публикация или отказ. 201, если создана хотя бы одна; если ни одной, ответ —
    отказ первого аккаунта, остальные — в errors.
    """
    user, clip_id = current_user(), body["clip_id"]
    clip = clips.get(user, clip_id)
    wishes = {one["connection_id"]: _wish(one, clip) for one in _of_set(user, body["set_id"])}
    wishes |= {one["connection_id"]: _wish(one, clip) for one in body["to"]}
    if not wishes:
        raise Problem("no_destination", "to")
    due = times.resolve(user, body.get("when", times.AT_ONCE))
    items = [Item(clip_id, wish, due.due_at, due.slot_id) for wish in wishes.values()]
    return _results("to", publications.publish_many(user, items))


@blueprint.endpoint(
    "/batch",
    method="POST",
    name="create_publications_batch",
    scope=WRITE,
    body=BatchBody,
    returns=ResultsBody,
    status=201,
    refuses=[404, 413],
    max_body=_BATCH_BYTES,
    document=_MADE,
)
def create_publications_batch(body: dict[str, Any]) -> dict[str, Any]:
    """Много публикаций разом.

    Отказ одной не мешает остальным. Клипы, которым выбран слот набора, занимают его свободные слоты по порядку.
    """
    user, wanted = current_user(), body["items"]
    mine = select(Clip).where(Clip.user_id == user.id, Clip.id.in_({one["clip_id"] for one in wanted}))
    known = {clip.id: clip for clip in db.session.scalars(mine)}
    due = times.resolve_many(user, [(one["clip_id"], one.get("when", times.AT_ONCE)) for one in wanted])
    results: list[Result] = [one if isinstance(one, Problem | NotFound) else NotFound() for one in due]
    items = {
        place: Item(one["clip_id"], _wish(one, known[one["clip_id"]]), at.due_at, at.slot_id)
        for place, (one, at) in enumerate(zip(wanted, due, strict=True))
        if isinstance(at, Due) and one["clip_id"] in known
    }
    for place, made in zip(items, publications.publish_many(user, [*items.values()]), strict=True):
        results[place] = made
    return _results("items", results)


@blueprint.endpoint(name="list_publications", scope=READ, query=PublicationFilters, returns=PublicationPage)
def list_publications(query: dict[str, Any]) -> dict[str, Any]:
    """Список публикаций, новые первыми."""
    found = select(Publication).where(indexed_eq(Publication.user_id, current_user().id))
    if "state" in query:
        found = found.where(Publication.status.in_(STATES[State(query["state"])]))
    for column in (Publication.status, Publication.clip_id, Publication.connection_id):
        if column.key in query:
            found = found.where(column == query[column.key])
    if "since" in query:
        found = found.where(Publication.due_at >= query["since"])
    if "until" in query:
        found = found.where(Publication.due_at < query["until"])
    shown = page(found, Publication.id, query)
    return {**shown, "items": as_bodies(shown["items"])}


@blueprint.endpoint("/<int:publication_id>", name="get_publication", scope=READ, returns=PublicationWithHistoryBody)
def get_publication(publication_id: int) -> dict[str, Any]:
    """Одна публикация и её история."""
    one, zone = publications.get(current_user(), publication_id), current_user().timezone
    lines = [
        {
            "at": line.at,
            "attempt": attempt.number,
            "kind": line.kind,
            "text": " ".join(filter(None, (texts.event(line.kind, line.name, zone, line.step), line.reason))),
            "detail": line.detail,
        }
        for attempt in history.attempts(one)
        for line in attempt.lines
    ]
    return as_body(one) | {"history": lines}


@blueprint.endpoint(
    "/<int:publication_id>/move",
    method="POST",
    name="move_publication",
    scope=WRITE,
    body=MoveBody,
    returns=PublicationBody,
)
def move_publication(publication_id: int, body: dict[str, Any]) -> dict[str, Any]:
    """Перенести запланированную публикацию."""
    user = current_user()
    publications.get_scheduled(user, publication_id)
    if body["when"]["kind"] == WhenKind.NOW:
        return as_body(publications.publish_now(user, publication_id))
    due = times.resolve(user, body["when"])
    result = moves.move_many(user, [Move(publication_id, due.due_at, due.slot_id)])
    if publication_id in result.refused:
        raise result.refused[publication_id]
    return as_body(publications.get(user, publication_id))


@blueprint.endpoint(
    "/<int:publication_id>/publish-now",
    method="POST",
    name="publish_now",
    scope=WRITE,
    returns=PublicationBody,
)
def publish_now(publication_id: int) -> dict[str, Any]:
    """Опубликовать запланированное сейчас."""
    return as_body(publications.publish_now(current_user(), publication_id))


@blueprint.endpoint(
    "/<int:publication_id>/cancel", method="POST", name="cancel_publication", scope=WRITE, returns=PublicationBody
)
def cancel_publication(publication_id: int) -> dict[str, Any]:
    """Отменить публикацию, пока клип не передан площадке."""
    publications.cancel(current_user(), publication_id)
    return as_body(publications.get(current_user(), publication_id))


@blueprint.endpoint(
    "/<int:publication_id>/retry", method="POST", name="retry_publication", scope=WRITE, returns=PublicationBody
)
def retry_publication(publication_id: int) -> dict[str, Any]:
    """Повторить публикацию, которая не удалась (failed)."""
    return as_body(retries.retry(current_user(), publication_id))


@blueprint.endpoint(
    "/<int:publication_id>/resend", method="POST", name="resend_publication", scope=WRITE, returns=PublicationBody
)
def resend_publication(publication_id: int) -> dict[str, Any]:
    """Отправить ещё раз то, чего на площадке не оказалось (unconfirmed).

    Только после того, как человек посмотрел на площадке: иначе клип может выйти дважды.
    """
    return as_body(retries.resend(current_user(), publication_id))


@blueprint.endpoint(
    "/<int:publication_id>/confirm",
    method="POST",
    name="confirm_publication",
    scope=WRITE,
    body=ConfirmBody,
    returns=PublicationBody,
)
def confirm_publication(publication_id: int, body: dict[str, str]) -> dict[str, Any]:
    """Подтвердить, что клип на площадке есть (unconfirmed, awaiting_user)."""
    return as_body(publications.confirm(current_user(), publication_id, body["url"]))


def _of_set(user: User, set_id: int | None) -> list[dict[str, Any]]:
    if set_id is None:
        return []
    return [{"connection_id": one} for one in account_sets.get(user, set_id).connection_ids]


def _wish(one: dict[str, Any], clip: Clip) -> Wish:
    title, text = one.get("title", clip.title), one.get("text", clip.description)
    return Wish(one["connection_id"], title, text, one.get("again", False), one.get("options", {}))


def _results(path: str, results: Sequence[Result]) -> dict[str, Any]:
    """Each in its place. Raises where nothing was made: then all is rolled back."""
    refused = {place: _named(one) for place, one in enumerate(results) if not isinstance(one, Publication)}
    if len(refused) == len(results):
        raise AllRefused({f"{path}.{place}": one for place, one in refused.items()})
    made = iter(as_bodies([one for one in results if isinstance(one, Publication)]))
    return {
        "items": [
            {"publication": None, "problem": as_dict(refused[place])}
            if place in refused
            else {"publication": next(made), "problem": None}
            for place in range(len(results))
        ]
    }


def _named(problem: Problem | NotFound) -> Problem | NotFound:
    """Its field as the request calls it, not the page's form."""
    field = getattr(problem, "field", None)
    if field == "due":
        problem.field = "when"
    elif field and field.startswith("connection-"):
        problem.field = "connection_id"
    elif field and field.startswith("option-"):
        problem.field = f"options.{field.split('-', 2)[2]}"
    return problem
