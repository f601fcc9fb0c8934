"""Announced clips: what will come, and what is to become of it."""

import base64
from typing import Any

from flask import current_app, url_for

from app.api.access import READ, WRITE, current_key, current_user
from app.api.blueprint import Blueprint
from app.api.fields import Body, Choice, Inner, Moment, Number, Text, length, row_id
from app.api.paging import Paged, page, page_of
from app.api.when import When
from app.models import Render, Source
from app.services import clips, renders
from app.services.renders import RenderState

blueprint = Blueprint("renders", "Объявленные клипы")


class RenderUploadBody(Body):
    """Куда прислать файл: загрузка tus с этими метаданными."""

    url = Text(required=True, metadata={"format": "uri"})
    metadata = Text(required=True, metadata={"description": "Часть заголовка Upload-Metadata"})


class RenderBody(Body):
    """Объявленный клип."""

    id = Number(required=True)
    external_id = Text(required=True, allow_none=True)
    state = Choice(RenderState, required=True)
    title = Text(required=True, metadata={"description": "Пусто: по имени файла"})
    text = Text(required=True)
    rule_id = Number(required=True, allow_none=True)
    when = When(required=True, allow_none=True, metadata={"description": "null: решает правило"})
    source = Choice(Source, required=True)
    source_name = Text(required=True, allow_none=True)
    clip_id = Number(required=True, allow_none=True)
    created_at = Moment(required=True)
    upload = Inner(RenderUploadBody, required=True)


RenderPage = page_of(RenderBody, "RenderPage")


class NewRenderBody(Body):
    """Что придёт. Всё необязательно."""

    external_id = Text(
        allow_none=True,
        validate=length(renders.MAX_EXTERNAL_ID, 1),
        metadata={"description": "Номер у вашей программы: объявленное с ним дважды — одно и то же"},
    )
    title = Text(validate=length(clips.MAX_TITLE), metadata={"description": "Без него — по имени файла"})
    text = Text(validate=length(clips.MAX_DESCRIPTION))
    rule_id = row_id(allow_none=True, metadata={"description": "Только это правило, каким бы ни было его условие"})
    when = When(allow_none=True, metadata={"description": "Вместо времени правила"})


class RenderFilters(Paged):
    external_id = Text(validate=length(renders.MAX_EXTERNAL_ID))


@blueprint.endpoint(
    method="POST", name="announce_render", scope=WRITE, body=NewRenderBody, returns=RenderBody, status=201
)
def announce_render(body: dict[str, Any]) -> dict[str, Any]:
    """Объявить клип, который скоро придёт.

    Файл придёт загрузкой tus с метаданными render или импортом по ссылке. Второе объявление с тем же external_id, пока
    файла нет, меняет то, что в нём указано; отменённое не оживает.
    """
    render = renders.announce(
        current_user(),
        external_id=body.get("external_id"),
        title=body.get("title", ""),
        description=body.get("text", ""),
        rule_id=body.get("rule_id"),
        when=body.get("when"),
        source=Source.API,
        source_name=current_key().name,
    )
    return as_body(render)


@blueprint.endpoint(name="list_renders", scope=READ, query=RenderFilters, returns=RenderPage)
def list_renders(query: dict[str, Any]) -> dict[str, Any]:
    """Объявленные клипы, новые первыми."""
    found = renders.all_of(current_user())
    if "external_id" in query:
        found = found.where(Render.external_id == query["external_id"])
    shown = page(found, Render.id, query)
    return {**shown, "items": list(map(as_body, shown["items"]))}


@blueprint.endpoint("/<int:render_id>", name="get_render", scope=READ, returns=RenderBody)
def get_render(render_id: int) -> dict[str, Any]:
    """Один объявленный клип: что с ним сейчас."""
    return as_body(renders.get(current_user(), render_id))


@blueprint.endpoint("/<int:render_id>", method="DELETE", name="cancel_render", scope=WRITE)
def cancel_render(render_id: int) -> None:
    """Отменить объявление: что бы ни пришло, само оно не выйдет.

    Когда правила уже применены, поздно: 409.
    """
    renders.cancel(current_user(), render_id)


def as_body(render: Render) -> dict[str, Any]:
    names = ("id", "external_id", "title", "rule_id", "when", "source", "source_name", "clip_id", "created_at")
    number = base64.b64encode(str(render.id).encode()).decode()
    return {
        **{name: getattr(render, name) for name in names},
        "text": render.description,
        "state": renders.state(render),
        "upload": {
            "url": current_app.config["PUBLIC_URL"] + url_for("api_uploads.create"),
            "metadata": f"render {number}",
        },
    }
