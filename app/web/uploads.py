"""Resumable uploads: tus 1.0 (https://tus.io/protocols/resumable-upload) at /uploads.

Besides the protocol: `X-Clip-Id` in a response names the clip that the upload has become, and every refusal is a
Russian sentence as plain text, which the page shows. A change needs the X-CSRFToken header, as everywhere.
A piece needs a Content-Length: a body without an end is refused before it is read.

The metadata may have the `fingerprint` of the file (upload_files.fingerprint), and `publish` where the clip shall be
published once it is ready. A client that continues may prove with `Upload-Fingerprint` that it has the same file. The
page's script also asks for JSON: which uploads are unfinished, and which clip was made of the same file.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flask import Blueprint, Response, abort, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException
from werkzeug.http import http_date

from app import texts
from app.db import commit
from app.problems import NotFound, Problem
from app.services import open_uploads, publish_when_ready, upload_files, uploads
from app.serving.busy import RETRY_SECONDS, Busy
from app.web import errors
from app.web.access import public, writes

blueprint = Blueprint("uploads", __name__, url_prefix="/uploads")

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
PIECE = "application/offset+octet-stream"

STATUSES = {
    "upload_too_large": 413,
    "upload_longer_than_promised": 413,
    "quota_full": 413,
    "too_many_uploads": 429,
    "too_many_attempts": 429,
    "no_room": 507,
    "no_room_left": 507,
    "upload_busy": 423,
    "upload_changed": 410,
    "upload_offset_mismatch": 409,
    "upload_piece_damaged": 460,
}


@blueprint.url_value_preprocessor
def guard(_endpoint: str | None, _values: dict | None) -> None:
    """Refuses what must not be read. Runs before the CSRF check, which would parse a form of any size."""
    if request.method == "OPTIONS":
        return
    if not current_user.is_authenticated:
        abort(_text("Вы вышли, или сеанс закончился. Войдите и продолжите загрузку.", 401))
    if request.method == "GET":
        return
    if request.headers.get("Tus-Resumable") != VERSION:
        abort(_text("Загрузчик говорит на другой версии протокола. Обновите страницу.", 412))
    if request.method == "PATCH" and request.mimetype != PIECE:
        abort(_text(f"Нужен Content-Type: {PIECE}.", 415))
    if request.mimetype == PIECE:
        if request.content_length is None:
            abort(_text("Нужен Content-Length.", 411))
        request.max_content_length = uploads.max_bytes()
    elif request.content_length or "Transfer-Encoding" in request.headers:
        abort(_text("Такое тело здесь не принимают.", 415))


@blueprint.after_request
def add_protocol_headers(response: Response) -> Response:
    response.headers["Tus-Resumable"] = VERSION
    if response.status_code == 412:
        response.headers["Tus-Version"] = VERSION
    return response


@blueprint.route("", methods=["OPTIONS"], provide_automatic_options=False)
@blueprint.route("/<upload_id>", methods=["OPTIONS"], provide_automatic_options=False)
@public
def options(upload_id: str | None = None) -> Response:
    return Response(
        status=204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(uploads.max_bytes()),
            "Tus-Checksum-Algorithm": ",".join(upload_files.CHECKSUMS),
        },
    )


@blueprint.post("")
def create() -> Response:
    length = _number("Upload-Length")
    if request.mimetype == PIECE and request.content_length > length:
        raise Problem("upload_longer_than_promised")
    metadata = _metadata()
    upload = uploads.create(
        current_user,
        metadata.get("filename", ""),
        length,
        _fingerprint(metadata.get("fingerprint", "")),
        publish_when_ready="publish" in metadata,
    )
    response = Response(status=201)
    response.headers["Location"] = url_for(".send", upload_id=upload.id)
    response.headers["Upload-Expires"] = http_date(upload.expires_at)
    if request.mimetype == PIECE:
        commit()  # before a body that may be slow
        _report(response, _receive(upload.id, 0))
    return response


@blueprint.route("/<upload_id>", methods=["HEAD"], provide_automatic_options=False)
@writes
def progress(upload_id: str) -> Response:
    """Finishes an upload whose last request broke off before its end."""
    _require_same_file(upload_id)
    progress = uploads.progress(current_user, upload_id)
    response = Response(status=200)
    response.headers["Upload-Length"] = str(progress.length)
    return _report(response, progress)


@blueprint.route("/<upload_id>", methods=["PATCH"], provide_automatic_options=False)
def send(upload_id: str) -> Response:
    _require_same_file(upload_id)
    return _report(Response(status=204), _receive(upload_id, _number("Upload-Offset")))


@blueprint.route("/<upload_id>", methods=["DELETE"], provide_automatic_options=False)
def terminate(upload_id: str) -> Response:
    uploads.terminate(current_user, upload_id)
    return Response(status=204)


@blueprint.get("")
def unfinished() -> dict[str, Any]:
    return {
        "uploads": [
            {
                "url": url_for(".send", upload_id=one.upload.id),
                "name": one.upload.file_name,
                "size": one.upload.length,
                "sent": one.offset,
                "fingerprint": one.upload.fingerprint,
                "publish": one.upload.publish_when_ready,
            }
            for one in open_uploads.unfinished(current_user)
        ]
    }


@blueprint.get("/same")
def same() -> dict[str, Any]:
    """The clip that was made of a file with that fingerprint, to be asked about before its bytes come again."""
    fingerprint = _fingerprint(request.args.get("fingerprint", ""))
    clip = open_uploads.same_clip(current_user, fingerprint) if fingerprint else None
    if clip is None:
        return {"clip": None}
    day = texts.moments.day(clip.created_at, current_user.timezone)
    return {"clip": {"title": clip.title, "day": day, "url": url_for("clips.show", clip_id=clip.id)}}


@blueprint.route("/<upload_id>/publishing", methods=["PUT", "DELETE"], provide_automatic_options=False)
def publishing(upload_id: str) -> Response:
    """«Опубликовать, когда загрузится»: ticked, or not any more."""
    publish_when_ready.wish(current_user, upload_id, wished=request.method == "PUT")
    return Response(status=204)


@blueprint.errorhandler(Problem)
def problem(error: Problem) -> Response:
    return _text(error.text, STATUSES.get(error.code, 400))


@blueprint.errorhandler(Busy)
def busy(error: Busy) -> Response:
    """With Retry-After: the page's script waits and continues by itself."""
    response = _text(error.text, error.status)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


@blueprint.errorhandler(NotFound)
@blueprint.errorhandler(CSRFError)
@blueprint.errorhandler(HTTPException)
def refused(error: NotFound | HTTPException) -> Response:
    if isinstance(error, NotFound):
        return _text("Такой загрузки нет: она закончена, отменена или устарела. Начните заново.", 404)
    if isinstance(error, CSRFError):
        errors.log_csrf(error)
        response = _text("Страница устарела. Обновите её и продолжите загрузку.", 400)
        response.headers["X-Session"] = url_for("auth.session_state")  # the page's script gets itself a new token
        return response
    return error.response or _text("Запрос не принят. Обновите страницу и повторите загрузку.", error.code)


def _receive(upload_id: str, offset: int) -> uploads.Progress:
    promised = request.content_length
    progress = uploads.receive(current_user, upload_id, offset, _blocks(), promised, _checksum())
    if progress.offset < offset + promised:
        commit()  # what came is kept
        raise Busy("upload_cut", 503)
    return progress


def _blocks() -> Iterator[bytes]:
    """The body as it comes in. Ends early when the client disconnects or is too slow."""
    # The server's own stream: werkzeug's would copy each byte twice more. Never read past the end.
    body, rest = request.environ["wsgi.input"], request.content_length
    with suppress(OSError):  # the server's error for a connection that is too slow
        while rest and (block := body.read(min(upload_files.BLOCK, rest))):
            rest -= len(block)
            yield block


def _report(response: Response, progress: uploads.Progress) -> Response:
    response.headers["Upload-Offset"] = str(progress.offset)
    if progress.clip_id is None:
        response.headers["Upload-Expires"] = http_date(progress.expires_at)
    else:
        response.headers["X-Clip-Id"] = str(progress.clip_id)
    return response


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        abort(_text(f"Нужен заголовок {header}: целое число.", 400))
    return int(text)


def _metadata() -> dict[str, str]:
    """Upload-Metadata: `key base64, key base64, key`."""
    pairs = (pair.split() for pair in request.headers.get("Upload-Metadata", "").split(",") if pair.strip())
    return {key: _unbase64("".join(value)).decode(errors="replace") for key, *value in pairs}


def _require_same_file(upload_id: str) -> None:
    if fingerprint := _fingerprint(request.headers.get("Upload-Fingerprint", "")):
        uploads.require_same_file(current_user, upload_id, fingerprint)


def _fingerprint(text: str) -> str | None:
    return text if re.fullmatch(r"[0-9a-f]{64}", text) else None


def _checksum() -> upload_files.Checksum | None:
    """Upload-Checksum: `sha1 base64`."""
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    algorithm, _, digest = header.partition(" ")
    if algorithm not in upload_files.CHECKSUMS:
        abort(_text(f"Контрольная сумма: {', '.join(upload_files.CHECKSUMS)}.", 400))
    return upload_files.Checksum(algorithm, _unbase64(digest))


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        abort(_text("Заголовок записан не в base64.", 400))


def _text(text: str, status: int) -> Response:
    return Response(text, status, mimetype="text/plain")
