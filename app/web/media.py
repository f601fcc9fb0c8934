"""A clip's file and poster, for its owner. What a user uploaded is served so that a browser can only show it."""

import re
from urllib.parse import quote

from flask import Blueprint, Response, abort, request, url_for
from flask_login import current_user
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from app.models import Clip, ClipPicture
from app.services import clips
from app.serving import file_response

blueprint = Blueprint("media", __name__, url_prefix="/media/clips")
blueprint.after_request(file_response.forbid_execution)

YEAR = 365 * 24 * 3600


@blueprint.get("/<int:clip_id>/video")
def video(clip_id: int) -> Response:
    """The file as it came; Range, HEAD and conditional requests work. `?download=1` saves it under the clip's title."""
    clip = clips.get(current_user, clip_id)
    content_type = clip.content_type if clip.extension else "application/octet-stream"
    response = file_response.send(clip.storage_key, content_type, clip.size)
    if "download" in request.args:
        response.headers["Content-Disposition"] = attachment(clip, clip.extension)
    return response


@blueprint.get("/<int:clip_id>/poster")
def poster(clip_id: int) -> Response:
    """The poster. Under `poster_url`, which cannot be guessed and whose content never changes, it is cached."""
    clip = clips.get(current_user, clip_id)
    if clip.poster_key is None:
        abort(404)
    response = file_response.send(clip.poster_key, "image/jpeg")
    if request.args.get("v") == _version(clip):
        cache_for_good(response)
    return response


def cache_for_good(response: Response) -> None:
    response.cache_control.no_cache = None
    response.cache_control.max_age = YEAR
    response.cache_control.immutable = True


def strip_url(strip: ClipPicture) -> str:
    """For pages: the address of the picture of a clip's frames."""
    return url_for("covers.picture", clip_id=strip.clip_id, v=strip.storage_key[-12:])


def poster_url(clip: Clip) -> str | None:
    """For pages: the address of the clip's poster, or None while there is none."""
    return url_for("media.poster", clip_id=clip.id, v=_version(clip)) if clip.poster_key else None


@blueprint.errorhandler(RequestedRangeNotSatisfiable)
def _past_the_end(error: RequestedRangeNotSatisfiable) -> RequestedRangeNotSatisfiable:
    """Unchanged: its Content-Range has the file's length, which a player needs."""
    return error


def _version(clip: Clip) -> str:
    return clip.poster_key[-12:]


def attachment(clip: Clip, suffix: str) -> str:
    """RFC 6266: a plain name for old programs, the title for all others."""
    title = re.sub(r'[\\/:*?"<>|]+', " ", clip.title).strip(" .") or f"clip-{clip.id}"
    return f"attachment; filename=\"clip-{clip.id}{suffix}\"; filename*=UTF-8''{quote(title + suffix, safe='')}"
