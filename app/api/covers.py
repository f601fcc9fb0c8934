"""A clip's cover: a moment of it by JSON, or a picture whose bytes are the body or a part of a form."""

from typing import Any

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from app.api.access import WRITE, current_user
from app.api.blueprint import JSON
from app.api.clips import ClipBody, as_body, blueprint
from app.api.fields import Body, Number, between
from app.api.parsing import parser
from app.media import pictures, probe_child
from app.services import clips, covers

_FORM = "multipart/form-data"
_TYPES = ("image/jpeg", "image/png")
# More than a picture may have, so that one that is too large is refused in words.
_MOST_BYTES = 2 * pictures.MAX_PICTURE_BYTES
_PICTURE = {"type": "string", "format": "binary", "minLength": 1, "maxLength": pictures.MAX_PICTURE_BYTES}
_LONGEST_MS = probe_child.MAX_SECONDS * 1000


class CoverMomentBody(Body):
    at_ms = Number(required=True, validate=between(0, _LONGEST_MS), metadata={"description": "Момент клипа"})


_BODY = {
    "required": True,
    "description": "Момент клипа, сама картинка (JPEG, PNG до 10 МБ) или форма с полем file.",
    "content": {
        JSON: {
            "schema": {
                "type": "object",
                "properties": {"at_ms": {"type": "integer", "minimum": 0, "maximum": _LONGEST_MS}},
                "required": ["at_ms"],
                "additionalProperties": False,
            }
        },
        **{one: {"schema": _PICTURE} for one in _TYPES},
        _FORM: {"schema": {"type": "object", "properties": {"file": _PICTURE}, "required": ["file"]}},
    },
}


@blueprint.endpoint(
    "/<int:clip_id>/cover",
    method="PUT",
    name="set_clip_cover",
    scope=WRITE,
    returns=ClipBody,
    status=202,
    refuses=[413, 415, 422],
    max_body=_MOST_BYTES,
    document={"requestBody": _BODY},
)
def set_clip_cover(clip_id: int) -> dict[str, Any]:
    """Выбрать обложку.

    Она готовится несколько секунд: cover.state станет ready или failed. Публикация, начатая сразу после этого, её
    дождётся. Картинка сохраняется как JPEG без сведений о съёмке.
    """
    clips.get(current_user(), clip_id)
    if request.mimetype in _TYPES:
        return as_body(covers.choose_picture(current_user(), clip_id, request.get_data(cache=False)))
    if request.mimetype == _FORM:
        file = request.files.get("file")
        data = file.stream.read(pictures.MAX_PICTURE_BYTES + 1) if file else b""
        return as_body(covers.choose_picture(current_user(), clip_id, data))
    if not request.is_json:
        raise UnsupportedMediaType
    body = parser.parse(CoverMomentBody(), request, location="json")
    return as_body(covers.choose_moment(current_user(), clip_id, body["at_ms"]))


@blueprint.endpoint("/<int:clip_id>/cover", method="DELETE", name="reset_clip_cover", scope=WRITE)
def reset_clip_cover(clip_id: int) -> None:
    """Убрать свою обложку.

    Ею снова станет первый светлый кадр.
    """
    covers.reset(current_user(), clip_id)
