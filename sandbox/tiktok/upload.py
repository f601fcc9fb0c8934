"""Sending a file by chunks: https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide

A chunk is taken as a whole or not at all, and only the next one. What has been taken is never taken again.
"""

import hashlib
import re
import secrets
import time
from typing import Any

from flask import Response, request

from sandbox.emulator import Emulator, external_url, json_response
from sandbox.state import BLOCK, DraftGone, Video
from sandbox.tiktok.errors import TikTokError
from sandbox.tiktok.posts import Posts

PATH = "/tiktok-upload/video/"
MIN_CHUNK, MAX_CHUNK, MAX_LAST = 5_000_000, 64_000_000, 128_000_000
MAX_BYTES, MAX_CHUNKS = 4_000_000_000, 1000
TYPES = ("video/mp4", "video/quicktime", "video/webm")

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Upload:
    """A video's facts: `token` of its upload address, `chunk_size`, `chunks`, and the newest request, `sender`."""

    def __init__(self, emulator: Emulator, posts: Posts) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._posts = posts

    def begin(self, account: str, way: str, post_info: dict[str, Any], source: dict[str, Any]) -> dict[str, str]:
        """`source`: a `source_info` that `checked_source` has let through."""
        kind = "v_inbox_file~v2" if way == "inbox" else "v_pub_file~v2-1"
        publish_id, token = f"{kind}.{secrets.randbelow(10**18) + 10**18}", secrets.token_urlsafe(24)
        self._state.begin(
            "tiktok",
            account,
            publish_id,
            title=post_info.get("title", ""),
            total=source["video_size"],
            facts={
                "way": way,
                "post_info": post_info,
                "began_at": time.time(),
                "token": token,
                "chunk_size": source["chunk_size"],
                "chunks": source["total_chunk_count"],
                "sender": "",
                "fail_reason": "",
                "delivered": False,
                "public_at": 0,
            },
        )
        url = external_url(f"{PATH}?upload_id={publish_id.rpartition('.')[2]}&upload_token={token}")
        return {"publish_id": publish_id, "upload_url": url}

    def send(self) -> Response:
        """PUT: the address is the only authorization."""
        video = self._video()
        if request.mimetype not in TYPES:
            return _refuse(400, f"Content-Type {request.mimetype} is not one of {', '.join(TYPES)}")
        length = request.content_length
        if length is None:
            return _refuse(411, "Content-Length is needed")
        match = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
        if match is None:
            return _refuse(400, "Content-Range is `bytes {first}-{last}/{total}`")
        first, last, total = map(int, match.groups())
        if last - first + 1 != length:
            return _refuse(400, f"Content-Range {match[0]} does not fit {length} bytes")
        if total != video.total or video.ready_at is not None or first != video.bytes or last != self._end(video):
            return _out_of_range(video)
        self._receive(video, first, last)
        complete = video.bytes == video.total
        if complete:
            self._complete(video)
        response = Response(status=201 if complete else 206)
        response.headers["Content-Range"] = f"bytes 0-{last}/{total}"
        return response

    def _video(self) -> Video:
        wanted, token = request.args.get("upload_id", ""), request.args.get("upload_token", "")
        for video in self._posts.all():
            if video.key.rpartition(".")[2] == wanted and secrets.compare_digest(video.facts["token"], token):
                break
        else:
            raise TikTokError("upload_not_found", "The upload task or its id is not found", status=404)
        if time.time() - video.facts["began_at"] >= self._emulator.option("upload_seconds"):
            raise TikTokError("upload_expired", "The upload_url has expired", status=403)
        return video

    def _end(self, video: Video) -> int:
        """The last byte of the chunk that comes next."""
        number = video.bytes // video.facts["chunk_size"]
        is_last = number >= video.facts["chunks"] - 1
        return (video.total if is_last else (number + 1) * video.facts["chunk_size"]) - 1

    def _receive(self, video: Video, first: int, last: int) -> None:
        sender = video.facts["sender"] = secrets.token_hex(8)
        stream, received = request.environ["wsgi.input"], 0
        try:
            with self._state.path(video).open("r+b", buffering=0) as file:
                file.seek(first)
                while block := stream.read(BLOCK):
                    if video.facts["sender"] != sender or self._state.videos.get(video.key) is not video:
                        raise DraftGone
                    file.write(block)
                    received += len(block)
        finally:
            with self._state.lock:
                ours = video.facts["sender"] == sender and self._state.videos.get(video.key) is video
                if ours and first + received == last + 1:
                    video.bytes = last + 1
                    self._state.save(video)
        if video.bytes != last + 1:
            raise DraftGone

    def _complete(self, video: Video) -> None:
        with self._state.path(video).open("r+b") as file:
            file.truncate(video.total)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with self._state.lock:
            video.sha256 = digest
            self._emulator.process(video)


def checked_source(source: Any) -> dict[str, Any]:
    """Raises TikTokError."""
    if not isinstance(source, dict) or source.keys() - {"source", "video_size", "chunk_size", "total_chunk_count"}:
        raise TikTokError("invalid_params", "source_info is not an object of known fields")
    if source.get("source") == "PULL_FROM_URL":
        raise TikTokError("url_ownership_unverified", "The URL's domain is not verified for this client")
    if source.get("source") != "FILE_UPLOAD":
        raise TikTokError("invalid_params", "source is FILE_UPLOAD or PULL_FROM_URL")
    size, chunk, count = (source.get(name) for name in ("video_size", "chunk_size", "total_chunk_count"))
    if not all(type(one) is int and one > 0 for one in (size, chunk, count)):
        raise TikTokError("invalid_params", "video_size, chunk_size and total_chunk_count are positive numbers")
    if size > MAX_BYTES:
        raise TikTokError("invalid_params", "The video is larger than 4 GB")
    whole = chunk == size and size <= MAX_CHUNK
    if not whole and not MIN_CHUNK <= chunk <= MAX_CHUNK:
        raise TikTokError("invalid_params", "chunk_size is 5 MB to 64 MB, or the whole of a smaller video")
    if chunk > size or count != size // chunk or count > MAX_CHUNKS:
        raise TikTokError(
            "invalid_params", "The total chunk count is invalid: it is video_size / chunk_size, rounded down"
        )
    if size - (count - 1) * chunk > MAX_LAST or (size > MAX_CHUNK and count < 2):
        raise TikTokError("invalid_params", "The chunk size is invalid: a video of more than 64 MB is split")
    return source


def _out_of_range(video: Video) -> Response:
    response = _refuse(416, "The Content-Range does not reflect the bytes that come next")
    at = f"0-{video.bytes - 1}" if video.bytes else "*"
    response.headers["Content-Range"] = f"bytes {at}/{video.total}"
    return response


def _refuse(status: int, message: str) -> Response:
    return json_response({"code": status, "message": message}, status)
