"""Clips: the list, their texts, their files and their deletion."""

from typing import Any

from flask import Response, current_app, url_for
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app import texts
from app.api.access import READ, WRITE, current_user
from app.api.blueprint import Blueprint
from app.api.fields import Body, Choice, Inner, Listed, Moment, Number, Text, length
from app.api.paging import Paged, page, page_of
from app.media import containers
from app.models import Clip, ClipStatus, PictureState, Source, cover_key
from app.paging import indexed_eq
from app.problems import Problem
from app.services import clip_deletion, clip_list, clips
from app.serving import file_response

blueprint = Blueprint("clips", "Клипы")

FILE_TYPES = tuple(one.content_type for one in containers.CONTAINERS.values())
UNKNOWN_TYPE = "application/octet-stream"  # before the file is probed


class CoverBody(Body):
    """Обложка: выбранная пользователем или нами."""

    kind = Choice(("auto", "moment", "picture"), required=True, metadata={"description": "auto: первый светлый кадр"})
    at_ms = Number(required=True, allow_none=True, metadata={"description": "Момент клипа, если выбран он"})
    state = Choice(PictureState, required=True, metadata={"description": "waiting: последний выбор ещё готовится"})
    reason = Text(required=True, allow_none=True, metadata={"description": "Код: почему последний выбор не подошёл"})
    detail = Text(required=True, allow_none=True, metadata={"description": "То же по-русски"})


class ClipBody(Body):
    """Клип."""

    id = Number(required=True)
    title = Text(required=True)
    text = Text(required=True, attribute="description", metadata={"description": "Описание"})
    file_name = Text(required=True)
    status = Choice(ClipStatus, required=True, metadata={"description": "processing: файл ещё проверяется"})
    reason = Text(required=True, allow_none=True, metadata={"description": "Код: почему файл не подошёл"})
    detail = Text(required=True, allow_none=True, metadata={"description": "То же по-русски: что не так и что сделать"})
    size = Number(required=True, metadata={"description": "Байты"})
    sha256 = Text(required=True, allow_none=True, metadata={"description": "Файла, когда он проверен"})
    duration_ms = Number(required=True, allow_none=True)
    width = Number(required=True, allow_none=True)
    height = Number(required=True, allow_none=True)
    source = Choice(Source, required=True, metadata={"description": "Откуда клип взялся"})
    source_name = Text(required=True, allow_none=True, metadata={"description": "Имя ключа, вебхука, папки или сайта"})
    created_at = Moment(required=True)
    cover = Inner(CoverBody, required=True)
    cover_url = Text(required=True, allow_none=True, metadata={"format": "uri", "description": "null: обложки ещё нет"})


ClipPage = page_of(ClipBody, "ClipPage")


class ClipFilters(Paged):
    status = Choice(ClipStatus)
    query = Text(validate=length(clip_list.MAX_QUERY), metadata={"description": "Слова из названия"})
    source = Choice(Source)


class ClipChangeBody(Body):
    title = Text(validate=length(clips.MAX_TITLE, 1))
    text = Text(validate=length(clips.MAX_DESCRIPTION))


class RenditionBody(Body):
    kind = Choice(("original",), required=True)
    content_type = Text(required=True, allow_none=True)
    size = Number(required=True, metadata={"description": "Байты"})
    duration_ms = Number(required=True, allow_none=True)
    width = Number(required=True, allow_none=True)
    height = Number(required=True, allow_none=True)
    video_codec = Text(required=True, allow_none=True)
    audio_codec = Text(required=True, allow_none=True)
    url = Text(required=True, metadata={"format": "uri"})


class RenditionsBody(Body):
    items = Listed(Inner(RenditionBody), required=True)


def as_body(clip: Clip) -> dict[str, Any]:
    columns = {column.key: getattr(clip, column.key) for column in Clip.__table__.columns}
    cover = address("get_clip_cover", clip) if clip.poster_key else None
    detail = texts.sentence(clip.reason) if clip.reason else None
    return {**columns, "detail": detail, "cover": _cover(clip), "cover_url": cover}


def _cover(clip: Clip) -> dict[str, Any]:
    chosen = clip.chosen_cover
    reason = chosen.reason if chosen and chosen.state == PictureState.FAILED else None
    return {
        "kind": clip.cover or "auto",
        "at_ms": clip.cover_ms,
        "state": chosen.state if chosen else PictureState.READY,
        "reason": reason,
        "detail": texts.sentence(reason) if reason else None,
    }


def address(endpoint: str, clip: Clip) -> str:
    return current_app.config["PUBLIC_URL"] + url_for(f"api_clips.{endpoint}", clip_id=clip.id)


@blueprint.endpoint(name="list_clips", scope=READ, query=ClipFilters, returns=ClipPage)
def list_clips(query: dict[str, Any]) -> dict[str, Any]:
    """Список клипов, новые первыми."""
    found = select(Clip).options(selectinload(Clip.chosen_cover)).where(indexed_eq(Clip.user_id, current_user().id))
    for column in (Clip.status, Clip.source):
        if column.key in query:
            found = found.where(column == query[column.key])
    for word in clip_list.words_of(query.get("query", "")):
        found = found.where(Clip.search_text.contains(word, autoescape=True))
    shown = page(found, Clip.id, query)
    return {**shown, "items": list(map(as_body, shown["items"]))}


@blueprint.endpoint("/<int:clip_id>", name="get_clip", scope=READ, returns=ClipBody)
def get_clip(clip_id: int) -> dict[str, Any]:
    """Один клип."""
    return as_body(clips.get(current_user(), clip_id))


@blueprint.endpoint(
    "/<int:clip_id>", method="PATCH", name="update_clip", scope=WRITE, body=ClipChangeBody, returns=ClipBody
)
def update_clip(clip_id: int, body: dict[str, str]) -> dict[str, Any]:
    """Изменить название или описание.

    Публикации, которые уже созданы, остаются со своими текстами.
    """
    clip = clips.get(current_user(), clip_id)
    title, text = body.get("title", clip.title), body.get("text", clip.description)
    return as_body(clips.rename(current_user(), clip_id, title, text))


@blueprint.endpoint("/<int:clip_id>", method="DELETE", name="delete_clip", scope=WRITE)
def delete_clip(clip_id: int) -> None:
    """Удалить клип.

    Запланированные и начатые публикации отменяются; то, что уже опубликовано, остаётся на площадках. Клип, который
    прямо сейчас передаётся площадке, не удаляется: 409.
    """
    if clip_deletion.delete(current_user(), [clip_id]).finishing:
        raise Problem("clip_being_handed_over")


@blueprint.endpoint(
    "/<int:clip_id>/cover", name="get_clip_cover", scope=READ, produces=["image/jpeg"], refuses=[409, 416]
)
def get_clip_cover(clip_id: int) -> Response:
    """Обложка клипа.

    Та, что выбрал пользователь, — какой её получают площадки; иначе небольшой кадр.
    """
    clip = clips.get(current_user(), clip_id)
    if clip.poster_key is None:
        raise Problem("cover_missing")
    key = cover_key(clip.poster_key) if clip.cover else clip.poster_key
    return file_response.forbid_execution(file_response.send(key, "image/jpeg"))


@blueprint.endpoint(
    "/<int:clip_id>/file", name="get_clip_file", scope=READ, produces=[*FILE_TYPES, UNKNOWN_TYPE], refuses=[416]
)
def get_clip_file(clip_id: int) -> Response:
    """Файл клипа, каким он загружен.

    Понимает Range и If-None-Match.
    """
    clip = clips.get(current_user(), clip_id)
    content_type = clip.content_type if clip.content_type in FILE_TYPES else UNKNOWN_TYPE
    return file_response.forbid_execution(file_response.send(clip.storage_key, content_type, clip.size))


@blueprint.endpoint("/<int:clip_id>/renditions", name="list_renditions", scope=READ, returns=RenditionsBody)
def list_renditions(clip_id: int) -> dict[str, Any]:
    """Файлы клипа: сейчас это исходный."""
    clip = clips.get(current_user(), clip_id)
    names = ("content_type", "size", "duration_ms", "width", "height", "video_codec", "audio_codec")
    facts = {name: getattr(clip, name) for name in names}
    return {"items": [{"kind": "original", **facts, "url": address("get_clip_file", clip)}]}
