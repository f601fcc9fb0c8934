"""A clip's file and poster, for its owner. What strangers uploaded is served so that it can only be looked at."""

import io
import re
from pathlib import Path
from urllib.parse import quote

import structlog
from flask import Blueprint, Response, abort, current_app, request, send_file, url_for
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from app.models import Clip
from app.publishing import fetch_links
from app.services import clips
from app.storage import StorageUnavailable, storage
from app.web.access import public
from app.web.streaming import BLOCK_BYTES, Sent, stream

blueprint = Blueprint("media", __name__, url_prefix="/media/clips")
fetch_blueprint = Blueprint("fetch", __name__, url_prefix="/fetch")

YEAR = 365 * 24 * 3600

log = structlog.get_logger(__name__)


@blueprint.get("/<int:clip_id>/video")
def video(clip_id: int) -> Response:
    """The file as it came; Range, HEAD and conditional requests work. `?download=1` saves it under the clip's title."""
    clip = clips.get(current_user, clip_id)
    content_type = clip.content_type if clip.extension else "application/octet-stream"
    response = _send(clip.storage_key, content_type, clip.size)
    if "download" in request.args:
        response.headers["Content-Disposition"] = _attachment(clip)
    return response


@blueprint.get("/<int:clip_id>/poster")
def poster(clip_id: int) -> Response:
    """The poster. Under `poster_url`, which nobody can guess and which never changes its content, it is cached."""
    clip = clips.get(current_user, clip_id)
    if clip.poster_key is None:
        abort(404)
    response = _send(clip.poster_key, "image/jpeg")
    if request.args.get("v") == _version(clip):
        response.cache_control.no_cache = None
        response.cache_control.max_age = YEAR
        response.cache_control.immutable = True
    return response


def poster_url(clip: Clip) -> str | None:
    """For pages: the address of the clip's poster, or None while there is none."""
    return url_for("media.poster", clip_id=clip.id, v=_version(clip)) if clip.poster_key else None


@fetch_blueprint.get("/<signed>")
@public
def fetch(signed: str) -> Response:
    """For a platform that downloads the clip itself: no sign-in, Range and HEAD, dead once the publication settled."""
    fetch = fetch_links.opened(signed)
    if fetch is None:
        abort(404)
    clip, app = fetch.clip, current_app._get_current_object()

    def sent(start: int, end: int) -> None:
        """The server is done with the response, and with the request's context."""
        try:
            with app.app_context():
                fetch_links.record(fetch, start, end)
        except SQLAlchemyError as error:
            log.warning("a fetch is not recorded", publication=fetch.publication_id, error=type(error).__name__)

    return _send(clip.storage_key, clip.content_type, clip.size, sent)


@blueprint.app_context_processor
def _for_pages() -> dict:
    return {"poster_url": poster_url}


@blueprint.after_request
@fetch_blueprint.after_request
def _only_to_be_looked_at(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


@blueprint.errorhandler(RequestedRangeNotSatisfiable)
def _past_the_end(error: RequestedRangeNotSatisfiable) -> RequestedRangeNotSatisfiable:
    """As it is: its Content-Range tells a player how long the file is."""
    return error


def _send(key: str, content_type: str, size: int | None = None, sent: Sent | None = None) -> Response:
    """`size`: what the file must have, where that is known. `sent` is called with what has been handed out."""
    # The key is the content's name: a file is never changed, so its ETag needs no look at it.
    etag = key.replace("/", "")
    try:
        path = storage().path(key)
        if path and sent is None:
            file_size = storage().size(key)
            if size not in (None, file_size):
                raise StorageUnavailable(f"файл не той длины: {file_size} байт вместо {size}")
            response = _send_here(path, content_type, etag)
        else:
            response = stream(storage().open(key), content_type, etag, size, sent)
    except FileNotFoundError:
        abort(404)
    response.cache_control.private = True
    return response


def _send_here(path: Path, content_type: str, etag: str) -> Response:
    response = send_file(path, mimetype=content_type, conditional=True, etag=etag)
    response.headers.pop("Content-Disposition", None)  # it would tell the storage's own name for the file
    if response.status_code == 206:  # a file too, which the server sends without a thread
        response.response.close()
        part = _Part(path, response.content_range.start, response.content_length)
        response.response = wrap_file(request.environ, part, BLOCK_BYTES)
    return response


class _Part(io.FileIO):
    """`count` bytes of a file. A server that sends it by its descriptor goes by the position and Content-Length."""

    def __init__(self, path: Path, start: int, count: int) -> None:
        super().__init__(path)
        self._rest = count
        self.seek(start)

    def read(self, size: int = -1) -> bytes:
        data = super().read(self._rest if size < 0 else min(size, self._rest))
        self._rest -= len(data)
        return data


def _version(clip: Clip) -> str:
    return clip.poster_key[-12:]


def _attachment(clip: Clip) -> str:
    """RFC 6266: a plain name for old programs, the title for all others."""
    suffix = clip.extension
    title = re.sub(r'[\\/:*?"<>|]+', " ", clip.title).strip(" .") or f"clip-{clip.id}"
    return f"attachment; filename=\"clip-{clip.id}{suffix}\"; filename*=UTF-8''{quote(title + suffix, safe='')}"
