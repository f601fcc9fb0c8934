"""A clip in one request: its file is the body, or a part of a form.

The bytes come between two transactions. With an Idempotency-Key the first one says that the request is under way and
names its upload, the second has the clip and the answer. Where the first request was lost in between, its upload is
given up and the next one begins anew.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from flask import Response, request
from werkzeug.exceptions import LengthRequired, UnsupportedMediaType

from app.api import replays
from app.api.access import WRITE, current_key, current_user
from app.api.blueprint import json_response
from app.api.clips import FILE_TYPES, UNKNOWN_TYPE, ClipBody, address, as_body, blueprint
from app.api.fields import Query, Text, length
from app.db import commit, db
from app.models import IdempotentRequest, Source
from app.problems import NotFound, Problem
from app.services import clips, idempotency, upload_files, uploads
from app.serving import tus
from app.serving.refusals import Busy

_FORM = "multipart/form-data"
_FORM_BYTES = 1 << 20  # of its headers and other fields
_FILE = {"type": "string", "format": "binary", "minLength": 1}
_FORM_SCHEMA = {"type": "object", "properties": {"file": _FILE}, "required": ["file"]}
_BODY = {
    "required": True,
    "description": "Сам файл или форма с полем file. Нужен Content-Length.",
    "content": {
        **{one: {"schema": _FILE} for one in (UNKNOWN_TYPE, *FILE_TYPES)},
        _FORM: {"schema": _FORM_SCHEMA},
    },
}


class UploadTexts(Query):
    title = Text(validate=length(clips.MAX_TITLE, 1), metadata={"description": "Без него — по имени файла"})
    text = Text(validate=length(clips.MAX_DESCRIPTION), metadata={"description": "Описание"})
    file_name = Text(validate=length(255), metadata={"description": "Имя файла, если тело — сам файл"})


@dataclass(frozen=True)
class _File:
    name: str
    length: int
    blocks: Iterable[bytes]


@blueprint.endpoint(
    method="POST",
    name="upload_clip",
    scope=WRITE,
    query=UploadTexts,
    returns=ClipBody,
    status=201,
    refuses=[411, 413, 415, 503],
    idempotent=False,
    document={"requestBody": _BODY},
)
def upload_clip(query: dict[str, str]) -> Response:
    """Загрузить клип одним запросом.

    Большой файл надёжнее загружать частями: tus, /api/v1/uploads.
    """
    key, fingerprint = replays.key_of_request(), _fingerprint()
    if key and (earlier := replays.find(key, fingerprint)):
        if earlier.http_status is not None:
            return replays.answer_again(earlier)
        _give_up(earlier)
    if "title" in query:
        clips.checked_texts(query["title"], query.get("text", ""))
    file = _file(query.get("file_name", ""))
    upload = uploads.create(current_user(), file.name, file.length, source=Source.API, source_name=current_key().name)
    if key:
        idempotency.begin(current_user(), key, fingerprint, upload.id)
    commit()
    response = _answer(_receive(upload.id, file, key), query)
    if key:
        replays.store(key, fingerprint, response)
    return response


def _fingerprint() -> str:
    """Of the file what is declared: its bytes are not read before it is known whether they are wanted."""
    declared = (request.content_length, request.headers.get("Repr-Digest"), request.headers.get("Content-Digest"))
    return replays.fingerprint_of(repr(declared).encode())


def _give_up(earlier: IdempotentRequest) -> None:
    """The request before has begun an upload and not ended. Raises where its bytes still come."""
    state = upload_files.received(earlier.upload_id or "")
    if state and state[1]:
        raise replays.under_way()
    with suppress(NotFound):
        uploads.terminate(current_user(), earlier.upload_id or "")
    idempotency.forget(earlier)


def _file(name: str) -> _File:
    if request.content_length is None:
        raise LengthRequired
    if request.mimetype == _FORM:
        request.max_content_length = uploads.max_bytes() + _FORM_BYTES
        file = request.files.get("file")
        if file is None:
            raise Problem("no_file", "file")
        size = file.stream.seek(0, os.SEEK_END)
        file.stream.seek(0)
        return _File(file.filename or name, size, iter(partial(file.stream.read, upload_files.BLOCK), b""))
    if request.mimetype != UNKNOWN_TYPE and not request.mimetype.startswith("video/"):
        raise UnsupportedMediaType
    return _File(name, request.content_length, tus.blocks())


def _receive(upload_id: str, file: _File, key: str | None) -> int:
    """The clip's id. What did not come whole is forgotten: one request cannot go on later."""
    try:
        progress = uploads.receive(current_user(), upload_id, 0, file.blocks, file.length)
        if progress.clip_id is None:
            raise Busy("upload_cut", 503)
        return progress.clip_id
    except Problem:
        db.session.rollback()
        uploads.terminate(current_user(), upload_id)
        if key:
            idempotency.forget_upload(current_user(), key, upload_id)
        commit()
        raise


def _answer(clip_id: int, query: dict[str, str]) -> Response:
    clip = clips.get(current_user(), clip_id)
    if query.keys() & {"title", "text"}:
        title, text = query.get("title", clip.title), query.get("text", clip.description)
        clip = clips.rename(current_user(), clip_id, title, text)
    response = json_response(ClipBody().dump(as_body(clip)), 201)
    response.headers["Location"] = address("get_clip", clip)
    return response
