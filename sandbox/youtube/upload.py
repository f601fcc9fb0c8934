"""Resumable uploads: https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol

A session is one video, whatever is sent to it how often: what it has is kept in whole granules, it says where it wants
to go on, and once it has everything, it gives its final answer again and again.
"""

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from sandbox.emulator import Emulator, external_url, json_response
from sandbox.state import BLOCK, DraftGone, Token, Video
from sandbox.youtube import metadata
from sandbox.youtube.errors import GoogleError
from sandbox.youtube.quota import Quota
from sandbox.youtube.videos import Videos

GRANULE = 256 << 10
"""Bytes: a chunk that is not the last is a multiple of it."""
MAX_BYTES = 256 << 30
PATH = "/upload/youtube/v3/videos"

_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass
class Sent:
    """What a request says about its bytes: the first and the last of them, None where it only asks."""

    first: int | None
    last: int | None
    total: int | None


class Upload:
    """A video's facts beside those of `Videos`: `upload_id`, `began_at`, `type`, `cut_down`, and the newest
    request, `sender`.
    """

    def __init__(self, emulator: Emulator, videos: Videos, quota: Quota) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._videos = videos
        self._quota = quota

    # Beginning

    def begin(self, token: Token, channel: str) -> Response:
        """POST: a refusal of the metadata comes before the first byte."""
        self._quota.spend_insert(token)
        if request.args.get("uploadType") != "resumable":
            raise GoogleError("badRequest", "The emulator knows only uploadType=resumable")
        if request.args.get("notifySubscribers", "true") not in ("true", "false"):
            raise GoogleError("invalidParameter", "Invalid value for notifySubscribers")
        parts = metadata.parts(request.args.get("part", ""))
        if not request.is_json:
            raise GoogleError("badContent", f"Unsupported content type: {request.mimetype}")
        named = metadata.checked(request.get_json(silent=True), parts)
        self._check_channel(token)
        upload_id = secrets.token_urlsafe(40)
        self._state.begin(
            "youtube",
            token.account,
            f"youtube-{upload_id}",
            title=named["snippet"]["title"],
            text=named["snippet"]["description"],
            total=_announced_length(),
            facts={
                "upload_id": upload_id,
                "began_at": time.time(),
                "type": _announced_type(),
                "sender": "",
                "cut_down": False,
                "parts": parts,
                "channel": channel,
                "metadata": named,
                "asked_privacy": named["status"]["privacyStatus"],
                "notify": request.args.get("notifySubscribers", "true") == "true",
            },
        )
        query = {**request.args, "upload_id": upload_id}
        response = Response(status=200)
        response.headers["Location"] = external_url(f"{PATH}?{urlencode(query)}")
        response.headers["X-GUploader-UploadID"] = upload_id
        return response

    def _check_channel(self, token: Token) -> None:
        limit, day = self._emulator.option("channel_uploads"), time.time() - 24 * 3600
        mine = [one for one in self._videos.all() if one.account == token.account and one.facts["published_at"] > day]
        if limit and len(mine) >= limit:
            raise GoogleError("uploadLimitExceeded", "The user has exceeded the number of videos they may upload.")

    # Sending

    def send(self) -> Response:
        """PUT: the session's address is the only authorization."""
        video = self._session()
        sent = _sent()
        if video.id is not None:
            return self._final(video, 200)
        if sent.total is not None:
            if video.total not in (None, sent.total):
                raise GoogleError("badRequest", f"The upload has {video.total} bytes, not {sent.total}")
            video.total = sent.total
        if sent.first is None:
            return _incomplete(video)
        if sent.first != video.bytes:
            return _incomplete(video)  # the server's own range, and no error
        self._receive(video, sent)
        if self._emulator.option("keeps_percent") < 100 and not video.facts["cut_down"]:
            self._cut_down(video)
        if video.bytes != video.total:
            return _incomplete(video)
        return self._complete(video)

    def _session(self) -> Video:
        video = self._state.videos.get(f"youtube-{request.args.get('upload_id', '')}")
        if video is None or time.time() - video.facts["began_at"] >= self._emulator.option("session_seconds"):
            raise GoogleError("notFound", "Upload session not found")
        return video

    def _receive(self, video: Video, sent: Sent) -> None:
        """Appends; what is no whole granule is lost where the request ends early."""
        sender = video.facts["sender"] = secrets.token_hex(8)
        stream = request.environ["wsgi.input"]
        try:
            with self._state.path(video).open("r+b", buffering=0) as file:
                file.seek(sent.first)
                file.truncate()
                while block := stream.read(BLOCK):
                    self._append(video, sender, file, block)
        finally:
            if video.facts["sender"] == sender and video.bytes != video.total:
                with self._state.path(video).open("r+b") as file:
                    file.truncate(video.bytes - video.bytes % GRANULE)
                video.bytes -= video.bytes % GRANULE
                self._state.save(video)

    def _cut_down(self, video: Video) -> None:
        """Once a session: it says that it has less than it was sent."""
        video.facts["cut_down"] = True
        kept = video.bytes * self._emulator.option("keeps_percent") // 100
        with self._state.path(video).open("r+b") as file:
            file.truncate(kept - kept % GRANULE)
        video.bytes = kept - kept % GRANULE
        self._state.save(video)

    def _append(self, video: Video, sender: str, file: Any, block: bytes) -> None:
        with self._state.lock:
            if video.facts["sender"] != sender or self._state.videos.get(video.key) is not video:
                raise DraftGone
            file.write(block)
            video.bytes += len(block)

    def _complete(self, video: Video) -> Response:
        with self._state.path(video).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with self._state.lock:
            if video.id is None:
                video.sha256 = digest
                self._videos.complete(video)
        return self._final(video, 201)

    def _final(self, video: Video, status: int) -> Response:
        return json_response(self._videos.resource(video, video.facts["parts"]), status)


def _announced_length() -> int | None:
    text = request.headers.get("X-Upload-Content-Length")
    if text is None:
        return None
    if not text.isdigit() or not 0 < int(text) <= MAX_BYTES:
        raise GoogleError("mediaBodyRequired" if text == "0" else "badRequest", "X-Upload-Content-Length is invalid")
    return int(text)


def _announced_type() -> str:
    text = request.headers.get("X-Upload-Content-Type", "application/octet-stream")
    if not text.startswith("video/") and text != "application/octet-stream":
        raise GoogleError("badContent", f"Media type '{text}' is not supported. Valid media types: [video/*]")
    return text


def _sent() -> Sent:
    """Raises GoogleError where the numbers do not agree."""
    length = request.content_length
    if length is None:
        raise GoogleError("badRequest", "Content-Length is needed", status=411)
    header = request.headers.get("Content-Range")
    if header is None:
        return Sent(0, length - 1, length)
    match = _RANGE.fullmatch(header)
    if match is None:
        raise GoogleError("badRequest", f"Failed to parse Content-Range header: {header}")
    total = None if match[3] == "*" else int(match[3])
    if match[1] is None:
        if length:
            raise GoogleError("badRequest", "A request that asks has no body")
        return Sent(None, None, total)
    first, last = int(match[1]), int(match[2])
    if last < first or last - first + 1 != length or (total is not None and last >= total):
        raise GoogleError("badRequest", f"Content-Range {header} does not fit {length} bytes")
    is_last = total is not None and last == total - 1
    if not is_last and length % GRANULE:
        raise GoogleError("badRequest", f"The number of bytes has to be a multiple of {GRANULE}")
    return Sent(first, last, total)


def _incomplete(video: Video) -> Response:
    response = Response(status="308 Resume Incomplete")
    if video.bytes:
        response.headers["Range"] = f"bytes=0-{video.bytes - 1}"
    response.headers["X-GUploader-UploadID"] = video.facts["upload_id"]
    return response
