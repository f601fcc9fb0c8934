"""A publication in responses."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app import texts
from app.api.errors import ProblemBody
from app.api.fields import Answers, Body, Choice, Inner, Listed, Moment, Number, Text
from app.api.paging import page_of
from app.api.when import When
from app.db import db
from app.models import Publication, Slot, Stage, Status, WhenKind
from app.services import when as times


class PublicationBody(Body):
    """Публикация: один клип на одном аккаунте."""

    id = Number(required=True)
    clip_id = Number(required=True, allow_none=True, metadata={"description": "null: клип удалён"})
    connection_id = Number(required=True, allow_none=True, metadata={"description": "null: аккаунт отключён"})
    platform = Text(required=True)
    account = Text(required=True)
    status = Choice(Status, required=True)
    stage = Choice(Stage, required=True, allow_none=True, metadata={"description": "Что идёт внутри publishing"})
    reason = Text(required=True, allow_none=True, metadata={"description": "Код причины"})
    detail = Text(required=True, allow_none=True, metadata={"description": "Причина и что делать, по-русски"})
    title = Text(required=True)
    text = Text(required=True)
    options = Answers(required=True)
    when = When(required=True, allow_none=True, metadata={"description": "Пока ждёт своего времени; иначе null"})
    due_at = Moment(required=True)
    sent_sha256 = Text(
        required=True, allow_none=True, metadata={"description": "Файла, который уходит площадке; null: ещё не решено"}
    )
    published_at = Moment(required=True, allow_none=True)
    url = Text(required=True, allow_none=True, metadata={"description": "Ссылка на площадке"})
    created_at = Moment(required=True)


PublicationPage = page_of(PublicationBody, "PublicationPage")


class LineBody(Body):
    """Строка истории."""

    at = Moment(required=True)
    attempt = Number(required=True, metadata={"description": "0: до первой попытки"})
    kind = Text(required=True)
    text = Text(required=True, metadata={"description": "То же по-русски"})
    detail = Text(required=True, allow_none=True, metadata={"description": "Что ответила площадка"})


class PublicationWithHistoryBody(PublicationBody):
    """Публикация и что с ней было."""

    history = Listed(Inner(LineBody), required=True)


class ResultBody(Body):
    """Публикация или отказ: одно из двух — null."""

    publication = Inner(PublicationBody, required=True, allow_none=True)
    problem = Inner(ProblemBody, required=True, allow_none=True)


class ResultsBody(Body):
    items = Listed(Inner(ResultBody), required=True)


def as_bodies(some: Sequence[Publication]) -> list[dict[str, Any]]:
    """One query for all of them says of which sets their slots are."""
    ids = {one.slot_id for one in some if one.slot_id}
    rows = db.session.execute(select(Slot.id, Slot.account_set_id).where(Slot.id.in_(ids))) if ids else ()
    sets: dict[int, int] = dict(map(tuple, rows))
    return [_body(one, sets.get(one.slot_id or 0)) for one in some]


def as_body(one: Publication) -> dict[str, Any]:
    return as_bodies([one])[0]


def _body(one: Publication, set_id: int | None) -> dict[str, Any]:
    names = ("id", "clip_id", "connection_id", "platform", "status", "stage", "reason", "title", "options")
    more = ("due_at", "published_at", "url", "created_at", "sent_sha256")
    when = None
    if one.status == Status.SCHEDULED:
        when = {"kind": WhenKind.SLOT, "set_id": set_id} if set_id else times.at(one.due_at)
    return {
        **{name: getattr(one, name) for name in (*names, *more)},
        "account": one.account_name,
        "text": one.description,
        "detail": texts.sentence(one.reason) if one.reason else one.detail,
        "when": when,
    }
