"""Resumable uploads for programs: the protocol of `app.serving.tus`, with a key in the place of a session.

It is a standard of its own, with statuses of its own, and clients of its own speak it: the specification names its
address and no operations.
"""

from collections.abc import Mapping

from flask import Blueprint, Response, current_app, request, url_for

from app.api import replays
from app.api.access import WRITE, authenticate, current_key, current_user, note_use, show_budget
from app.models import Source, Upload
from app.serving import tus

blueprint = Blueprint("api_uploads", __name__, url_prefix="/api/v1/uploads")
blueprint.url_value_preprocessor(authenticate)
blueprint.after_request(note_use)
blueprint.after_request(show_budget)
blueprint.after_request(tus.add_headers)


@blueprint.url_value_preprocessor
def guard(_endpoint: str | None, _values: dict | None) -> None:
    tus.guard()


@blueprint.route("", methods=["OPTIONS"], provide_automatic_options=False)
@blueprint.route("/<upload_id>", methods=["OPTIONS"], provide_automatic_options=False)
def options(upload_id: str | None = None) -> Response:
    return tus.options()


@blueprint.route("", methods=["POST"], provide_automatic_options=False)
def create() -> Response:
    """With an Idempotency-Key a second request gets the address of the same upload, whose HEAD says how far it is."""
    key = replays.key_of_request()
    asked = repr([request.headers.get(name) for name in ("Upload-Length", "Upload-Metadata")])
    fingerprint = replays.fingerprint_of(asked.encode())
    if key and (earlier := replays.find(key, fingerprint)):
        return replays.answer_again(earlier)

    def begun(_upload: Upload, _metadata: Mapping[str, str], response: Response) -> None:
        if key:
            replays.store(key, fingerprint, response)

    return tus.create(current_user(), _address, begun, Source.API, current_key().name)


@blueprint.route("/<upload_id>", methods=["HEAD"], provide_automatic_options=False)
def progress(upload_id: str) -> Response:
    return tus.progress(current_user(), upload_id)


@blueprint.route("/<upload_id>", methods=["PATCH"], provide_automatic_options=False)
def send(upload_id: str) -> Response:
    return tus.send(current_user(), upload_id)


@blueprint.route("/<upload_id>", methods=["DELETE"], provide_automatic_options=False)
def terminate(upload_id: str) -> Response:
    return tus.terminate(current_user(), upload_id)


def _address(upload_id: str) -> str:
    return current_app.config["PUBLIC_URL"] + url_for(".send", upload_id=upload_id)


for view in (create, progress, send, terminate):
    view.scope = WRITE
for view in (create, progress, send, terminate, options):
    view.is_public = True
progress.writes = True  # on HEAD: it may finish an upload
