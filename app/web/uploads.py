"""Resumable uploads of the browser, at /uploads: `app.serving.tus` is the protocol.

Every refusal is a Russian sentence as plain text, which the page shows. A change needs the X-CSRFToken header, as
everywhere. The page's script also asks for JSON: which uploads are unfinished, and which clip is of the same file.
"""

from typing import Any

from flask import Blueprint, Response, abort, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from app import texts
from app.problems import NotFound, Problem
from app.services import open_uploads, publish_when_ready
from app.serving import tus
from app.serving.refusals import RETRY_SECONDS, Busy
from app.web import errors
from app.web.access import public, writes

blueprint = Blueprint("uploads", __name__, url_prefix="/uploads")
blueprint.after_request(tus.add_headers)


@blueprint.url_value_preprocessor
def guard(_endpoint: str | None, _values: dict | None) -> None:
    """Runs before the CSRF check, which would parse a form of any size."""
    if request.method == "OPTIONS":
        return
    if not current_user.is_authenticated:
        abort(_text("Вы вышли, или сеанс закончился. Войдите и продолжите загрузку.", 401))
    tus.guard()


@blueprint.route("", methods=["OPTIONS"], provide_automatic_options=False)
@blueprint.route("/<upload_id>", methods=["OPTIONS"], provide_automatic_options=False)
@public
def options(upload_id: str | None = None) -> Response:
    return tus.options()


@blueprint.post("")
def create() -> Response:
    return tus.create(current_user, lambda upload_id: url_for(".send", upload_id=upload_id))


@blueprint.route("/<upload_id>", methods=["HEAD"], provide_automatic_options=False)
@writes
def progress(upload_id: str) -> Response:
    return tus.progress(current_user, upload_id)


@blueprint.route("/<upload_id>", methods=["PATCH"], provide_automatic_options=False)
def send(upload_id: str) -> Response:
    return tus.send(current_user, upload_id)


@blueprint.route("/<upload_id>", methods=["DELETE"], provide_automatic_options=False)
def terminate(upload_id: str) -> Response:
    return tus.terminate(current_user, upload_id)


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
    fingerprint = tus.fingerprint(request.args.get("fingerprint", ""))
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
    return _text(error.text, tus.status_of(error))


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


def _text(text: str, status: int) -> Response:
    return Response(text, status, mimetype="text/plain")
