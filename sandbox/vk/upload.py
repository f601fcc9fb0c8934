"""The upload servers: one multipart file; its field name depends on the route.

https://dev.vk.com/ru/api/upload/video-in-profile
"""

import secrets
import time
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, external_url, json_response
from sandbox.multipart import BadMultipart, Part, parts
from sandbox.state import DraftGone, Video
from sandbox.vk.errors import UploadError
from sandbox.vk.wall import Wall

FIELDS = {"clip": "file", "video": "video_file"}
"""The field name by route."""


class Upload:
    def __init__(self, emulator: Emulator, wall: Wall) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._wall = wall

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/vk-api/upload/<kind>/<name>", "upload", self._respond, methods=["POST"])

    def _respond(self, kind: str, name: str) -> Response:
        try:
            return json_response(self._upload(kind, name))
        except UploadError as error:
            return error.response()

    def _upload(self, kind: str, name: str) -> dict[str, Any]:
        video = self._state.videos.get(f"vk-{name}")
        if video is None or video.facts["kind"] != kind or request.args.get("key") != video.facts["upload_key"]:
            raise UploadError("ERR_UPLOAD_BAD_URL", "upload_url is not valid")
        if video.ready_at is not None:
            raise UploadError("ERR_UPLOAD_DONE", "the file is uploaded already")
        received = False
        try:
            for part in parts(request.environ["wsgi.input"], request.content_type or ""):
                if part.name == FIELDS[kind] and part.filename is not None:
                    self._receive(video, part)
                    received = True
        except BadMultipart as error:
            raise UploadError("ERR_UPLOAD_BAD_REQUEST", str(error)) from error
        if not received or not video.bytes:
            raise UploadError("ERR_UPLOAD_FILE_NOT_FOUND", f"there is no file in the field {FIELDS[kind]}")
        if kind == "clip" and video.bytes != video.total:
            raise UploadError("ERR_UPLOAD_BAD_SIZE", f"{video.bytes} bytes came instead of {video.total}")
        return self._finish(video)

    def _receive(self, video: Video, part: Part) -> None:
        limit = int(self._emulator.option("max_mb") * 1_000_000)
        with self._state.receive(video) as receiver:
            for block in part.blocks:
                if video.bytes + len(block) > limit:
                    raise UploadError("ERR_UPLOAD_TOO_LARGE", "the file is too large")
                receiver.write(block)

    def _finish(self, video: Video) -> dict[str, Any]:
        """Publishes a video at once; a clip waits for shortVideo.publish."""
        body = {"size": video.bytes, "owner_id": int(video.account), "video_id": int(video.id)}
        with self._state.lock:
            if video.sha256 is None:
                raise DraftGone  # another upload of the same file has begun
            video.facts |= {"hash": secrets.token_hex(9), "date": int(time.time())}
            self._emulator.process(video)
            if video.facts["kind"] == "video":
                video.url = f"/vk/video{video.account}_{video.id}"
                self._state.publish(video)
                if video.facts["wallpost"]:
                    owner = int(video.account)
                    self._wall.add_post(owner, owner, "", [video])
                body["direct_link"] = external_url(video.url)
        return {"video_hash": video.facts["hash"]} | body
