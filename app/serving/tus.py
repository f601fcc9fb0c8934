"""Resumable uploads: tus 1.0 (https://tus.io/protocols/resumable-upload), for pages at /uploads and for the API.

Besides the protocol: `X-Clip-Id` in a response names the clip that the upload has become. A piece needs a
Content-Length: a body without an end is refused before it is read.

The metadata may have the `fingerprint` of the file (upload_files.fingerprint), and `publish` where the clip shall be
published once it is ready. A client that continues may prove with `Upload-Fingerprint` that it has the same file.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from flask import Response, request
from werkzeug.http import http_date

from app.db import commit
from app.models import Source, Upload, User
from app.problems import Problem
from app.services import upload_files, uploads
from app.serving.refusals import Busy, Refusal

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


def status_of(problem: Problem) -> int:
    return getattr(problem, "status", None) or STATUSES.get(problem.code, 400)


def guard() -> None:
    """Refuses what must not be read, once the user is known and before anything reads the body."""
    if request.method in ("OPTIONS", "GET"):
        return
    if request.headers.get("Tus-Resumable") != VERSION:
        raise Refusal("tus_version", 412)
    if request.method == "PATCH" and request.mimetype != PIECE:
        raise Refusal("tus_content_type", 415, type=PIECE)
    if request.mimetype == PIECE:
        if request.content_length is None:
            raise Refusal("tus_length_missing", 411)
        request.max_content_length = uploads.max_bytes()
    elif request.content_length or "Transfer-Encoding" in request.headers:
        raise Refusal("tus_body_refused", 415)


def add_headers(response: Response) -> Response:
    response.headers["Tus-Resumable"] = VERSION
    if response.status_code == 412:
        response.headers["Tus-Version"] = VERSION
    return response


def options() -> Response:
    return Response(
        status=204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(uploads.max_bytes()),
            "Tus-Checksum-Algorithm": ",".join(upload_files.CHECKSUMS),
        },
    )


def create(
    user: User,
    address: Callable[[str], str],
    begun: Callable[[Upload, Mapping[str, str], Response], None] = lambda _upload, _metadata, _response: None,
    source: str = Source.UPLOAD,
    source_name: str | None = None,
) -> Response:
    """`address` of an upload's id. `begun` is called with the upload, its metadata and the response, in the
    transaction that begins it.
    """
    length = number("Upload-Length")
    if request.mimetype == PIECE and request.content_length > length:
        raise Problem("upload_longer_than_promised")
    metadata = _metadata()
    upload = uploads.create(
        user,
        metadata.get("filename", ""),
        length,
        fingerprint(metadata.get("fingerprint", "")),
        publish_when_ready="publish" in metadata,
        source=source,
        source_name=source_name,
    )
    response = Response(status=201)
    response.headers["Location"] = address(upload.id)
    response.headers["Upload-Expires"] = http_date(upload.expires_at)
    begun(upload, metadata, response)
    if request.mimetype == PIECE:
        commit()  # before a body that may be slow
        _report(response, _receive(user, upload.id, 0))
    return response


def progress(user: User, upload_id: str) -> Response:
    """Finishes an upload whose last request broke off before its end."""
    _require_same_file(user, upload_id)
    found = uploads.progress(user, upload_id)
    response = Response(status=200)
    response.headers["Upload-Length"] = str(found.length)
    return _report(response, found)


def send(user: User, upload_id: str) -> Response:
    _require_same_file(user, upload_id)
    return _report(Response(status=204), _receive(user, upload_id, number("Upload-Offset")))


def terminate(user: User, upload_id: str) -> Response:
    uploads.terminate(user, upload_id)
    return Response(status=204)


def blocks() -> Iterator[bytes]:
    """The body as it comes in. Ends early when the client disconnects or is too slow."""
    # The server's own stream: werkzeug's would copy each byte twice more. Never read past the end.
    body, rest = request.environ["wsgi.input"], request.content_length
    with suppress(OSError):  # the server's error for a connection that is too slow
        while rest and (block := body.read(min(upload_files.BLOCK, rest))):
            rest -= len(block)
            yield block


def fingerprint(text: str) -> str | None:
    return text if re.fullmatch(r"[0-9a-f]{64}", text) else None


def number(header: str) -> int:
    text = request.headers.get(header, "")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise Refusal("tus_number_missing", 400, header=header)
    return int(text)


def _receive(user: User, upload_id: str, offset: int) -> uploads.Progress:
    promised = request.content_length
    progress = uploads.receive(user, upload_id, offset, blocks(), promised, _checksum())
    if progress.offset < offset + promised:
        commit()  # what came is kept
        raise Busy("upload_cut", 503)
    return progress


def _report(response: Response, progress: uploads.Progress) -> Response:
    response.headers["Upload-Offset"] = str(progress.offset)
    if progress.clip_id is None:
        response.headers["Upload-Expires"] = http_date(progress.expires_at)
    else:
        response.headers["X-Clip-Id"] = str(progress.clip_id)
    return response


def _metadata() -> dict[str, str]:
    """Upload-Metadata: `key base64, key base64, key`."""
    pairs = (pair.split() for pair in request.headers.get("Upload-Metadata", "").split(",") if pair.strip())
    return {key: _unbase64("".join(value)).decode(errors="replace") for key, *value in pairs}


def _require_same_file(user: User, upload_id: str) -> None:
    if given := fingerprint(request.headers.get("Upload-Fingerprint", "")):
        uploads.require_same_file(user, upload_id, given)


def _checksum() -> upload_files.Checksum | None:
    """Upload-Checksum: `sha1 base64`."""
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    algorithm, _, digest = header.partition(" ")
    if algorithm not in upload_files.CHECKSUMS:
        raise Refusal("tus_checksum_unknown", 400, algorithms=", ".join(upload_files.CHECKSUMS))
    return upload_files.Checksum(algorithm, _unbase64(digest))


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("tus_not_base64", 400) from None
