"""Clips that are fetched from an address: begun, watched, cancelled, repeated."""

from typing import Any

from marshmallow import validate
from sqlalchemy import select

from app import texts
from app.api.access import READ, WRITE, current_key, current_user
from app.api.blueprint import Blueprint
from app.api.fields import Body, Choice, Coded, Moment, Number, Text, length, row_id
from app.api.paging import Paged, page, page_of
from app.models import ClipImport, ImportState, Render, Source
from app.paging import indexed_eq
from app.platforms.http.download import MAX_ADDRESS
from app.problems import Problem
from app.services import clips, imports, renders

blueprint = Blueprint("imports", "Загрузка по ссылке", prefix="/api/v1")


class ImportBody(Body):
    """Файл, который мы забираем по ссылке."""

    id = Number(required=True)
    status = Choice(ImportState, required=True, attribute="state", metadata={"description": "done: стал клипом"})
    reason = Text(required=True, allow_none=True, metadata={"description": "Код: почему не вышло или чего ждём"})
    detail = Text(required=True, allow_none=True, metadata={"description": "То же по-русски"})
    host = Text(required=True, metadata={"description": "Откуда: сама ссылка не хранится дольше, чем нужна"})
    file_name = Text(required=True, metadata={"description": "Пусто, пока сайт его не назвал"})
    size = Number(required=True, allow_none=True, metadata={"description": "Байты; null: сайт не сказал"})
    received = Number(required=True, metadata={"description": "Сколько байтов уже пришло"})
    sha256 = Text(required=True, allow_none=True, metadata={"description": "Какой должен быть у файла"})
    clip_id = Number(required=True, allow_none=True, metadata={"description": "Клип, когда файл на месте"})
    render_id = Number(required=True, allow_none=True)
    source = Choice(Source, required=True)
    source_name = Text(required=True, allow_none=True)
    created_at = Moment(required=True)


ImportPage = page_of(ImportBody, "ImportPage")


class ImportFilters(Paged):
    status = Choice(ImportState)


class NewImportBody(Body):
    url = Text(
        required=True,
        validate=[
            length(MAX_ADDRESS, 1),
            validate.Regexp(r"^https?://[^\x00-\x20\x7f-\x9f]+$", error=Coded("field_not_web_address")),
        ],
        metadata={"description": "Прямая ссылка на файл: http или https, без имени и пароля"},
    )
    title = Text(validate=length(clips.MAX_TITLE), metadata={"description": "Без него — из имени файла"})
    text = Text(validate=length(clips.MAX_DESCRIPTION), metadata={"description": "Описание"})
    sha256 = Text(
        validate=validate.Regexp(r"^[0-9a-fA-F]{64}$", error=Coded("field_malformed")),
        metadata={"description": "Сверим, когда файл придёт"},
    )
    render = row_id(metadata={"description": "Анонс, которому этот файл отвечает"})


def as_body(one: ClipImport) -> dict[str, Any]:
    columns = {column.key: getattr(one, column.key) for column in ClipImport.__table__.columns}
    return {**columns, "detail": texts.sentence(one.reason) if one.reason else None}


@blueprint.endpoint(
    "/clips/import",
    method="POST",
    name="import_clip",
    scope=WRITE,
    body=NewImportBody,
    returns=ImportBody,
    status=202,
    refuses=[413],
)
def import_clip(body: dict[str, Any]) -> dict[str, Any]:
    """Загрузить клип по ссылке.

    Файл мы забираем сами и продолжаем с того же места, если связь прервётся. Как идут дела, говорит
    `GET /imports/{import_id}`.
    """
    user, key = current_user(), current_key()
    one = imports.start(
        user,
        body["url"],
        sha256=body.get("sha256"),
        render=_announced(body),
        source=Source.API,
        source_name=key.name,
    )
    return as_body(one)


def _announced(body: dict[str, Any]) -> Render | None:
    """The announcement that is named, or one for the texts that are given."""
    user, title, text = current_user(), body.get("title", ""), body.get("text", "")
    if "render" not in body:
        if not (title or text):
            return None
        return renders.announce(user, title=title, description=text, source=Source.API, source_name=current_key().name)
    render = renders.get(user, body["render"])
    if render.clip_id:
        raise Problem("render_has_clip", "render")
    render.title, render.description = clips.one_line(title) or render.title, text or render.description
    return render


@blueprint.endpoint("/imports", name="list_imports", scope=READ, query=ImportFilters, returns=ImportPage)
def list_imports(query: dict[str, Any]) -> dict[str, Any]:
    """Загрузки по ссылкам, новые первыми."""
    found = select(ClipImport).where(indexed_eq(ClipImport.user_id, current_user().id))
    if "status" in query:
        found = found.where(ClipImport.state == query["status"])
    shown = page(found, ClipImport.id, query)
    return {**shown, "items": list(map(as_body, shown["items"]))}


@blueprint.endpoint("/imports/<int:import_id>", name="get_import", scope=READ, returns=ImportBody)
def get_import(import_id: int) -> dict[str, Any]:
    """Как идёт загрузка по ссылке."""
    return as_body(imports.get(current_user(), import_id))


@blueprint.endpoint(
    "/imports/<int:import_id>/cancel", method="POST", name="cancel_import", scope=WRITE, returns=ImportBody
)
def cancel_import(import_id: int) -> dict[str, Any]:
    """Отменить загрузку по ссылке.

    Клип, который из неё уже вышел, остаётся.
    """
    return as_body(imports.cancel(current_user(), import_id))


@blueprint.endpoint(
    "/imports/<int:import_id>/retry", method="POST", name="retry_import", scope=WRITE, returns=ImportBody, refuses=[413]
)
def retry_import(import_id: int) -> dict[str, Any]:
    """Повторить загрузку, которая не вышла или отменена.

    Если сайт это позволяет, она продолжится с того места, где остановилась.
    """
    return as_body(imports.retry(current_user(), import_id))
