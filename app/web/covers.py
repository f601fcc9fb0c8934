"""«Обложка»: the frame, the moment or the picture that stands for a clip; and the strip of frames to choose from."""

import os

from flask import Blueprint, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.media import pictures
from app.models import Clip, ClipStatus, PictureKind, PictureState
from app.problems import NotFound, Problem
from app.services import clips, covers
from app.serving import file_response
from app.texts import positions
from app.web import media, responses
from app.web.clip_cards import cards

blueprint = Blueprint("covers", __name__)

# More than a picture may have, so that one that is too large is refused in words.
_MOST_BYTES = 4 * pictures.MAX_PICTURE_BYTES
AUTO, TIME, PICTURE = "auto", "time", "picture"


@blueprint.url_value_preprocessor
def allow_picture(endpoint: str | None, _values: dict | None) -> None:
    """Set before the CSRF check, which reads the form."""
    if endpoint == "covers.choose" and request.method == "POST" and current_user.is_authenticated:
        request.max_content_length = _MOST_BYTES


@blueprint.route("/clips/<int:clip_id>/cover", methods=["GET", "POST"])
def choose(clip_id: int) -> ResponseReturnValue:
    clip = clips.get(current_user, clip_id)
    if clip.status != ClipStatus.READY:
        raise Problem("clip_not_ready")
    problem = None
    if request.method == "POST":
        try:
            clip = _chosen(clip_id)
        except Problem as refusal:
            if isinstance(refusal, NotFound):
                raise
            problem = refusal
        else:
            text = "Готовим обложку: она появится сама." if clip.cover_wanted_at else "Обложку снова выбираем мы."
            return responses.done(text, url_for("clips.show", clip_id=clip_id), cards([clip]))
    strip = covers.find(clip, PictureKind.STRIP)
    chosen, time = _as_it_is(clip, (strip.frames or []) if strip else [])
    before = chosen
    if problem:
        chosen, time = request.form.get("choice", ""), request.form.get("time", "")
    return responses.dialog(
        "clips/_cover.html", clip=clip, strip=strip, chosen=chosen, before=before, time=time, problem=problem
    )


def _as_it_is(clip: Clip, frames: list[int]) -> tuple[str, str]:
    """Which choice the cover is now, and its moment."""
    if clip.cover is None:
        return AUTO, ""
    if clip.cover_ms is None:
        return PICTURE, ""
    return str(clip.cover_ms) if clip.cover_ms in frames else TIME, positions.written(clip.cover_ms)


def _chosen(clip_id: int) -> Clip:
    """By the button that is pressed. Without scripts, what was typed counts too where no other button was pressed."""
    form, file = request.form, request.files.get("picture")
    choice, has_file = form.get("choice", ""), bool(file and file.filename)
    if choice == form.get("before"):
        choice = PICTURE if has_file else TIME if form.get("time") != form.get("time-before", "") else choice
    if choice == AUTO:
        return covers.reset(current_user, clip_id)
    if choice == PICTURE:
        return covers.choose_picture(current_user, clip_id, _picture() if has_file else b"")
    typed = form.get("time", "") if choice == TIME else None
    try:
        at_ms = positions.parse(typed) if typed is not None else int(choice)
    except ValueError:
        raise Problem("cover_not_chosen" if typed is None else "cover_time_malformed", "time") from None
    return covers.choose_moment(current_user, clip_id, at_ms)


def _picture() -> bytes:
    stream = request.files["picture"].stream
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    # Of one that is too large as much as tells so.
    return stream.read(min(size, pictures.MAX_PICTURE_BYTES + 1))


@blueprint.post("/clips/<int:clip_id>/frames")
def want_frames(clip_id: int) -> ResponseReturnValue:
    """Has the strip made; a page that shows none yet asks by itself."""
    strip = covers.want_strip(current_user, clip_id)
    if not request.htmx:
        return responses.go(url_for(".choose", clip_id=clip_id))
    return _strip(clips.get(current_user, clip_id), strip)


@blueprint.get("/clips/<int:clip_id>/frames")
def frames(clip_id: int) -> ResponseReturnValue:
    """The poll: empty while the strip is being made."""
    strip = covers.strip(current_user, clip_id)
    if strip.state == PictureState.WAITING:
        return Response(status=204)
    return _strip(clips.get(current_user, clip_id), strip)


def _strip(clip: Clip, strip: object) -> str:
    return render_template("clips/_frames.html", clip=clip, strip=strip, chosen=request.values.get("chosen", ""))


@blueprint.get("/media/clips/<int:clip_id>/frames")
def picture(clip_id: int) -> Response:
    """The strip itself: its address changes with its content."""
    strip = covers.strip(current_user, clip_id)
    if strip.storage_key is None:
        abort(404)
    response = file_response.send(strip.storage_key, "image/jpeg")
    if request.args.get("v") == strip.storage_key[-12:]:
        media.cache_for_good(response)
    return file_response.forbid_execution(response)
