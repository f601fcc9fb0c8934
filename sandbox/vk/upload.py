"""The upload servers: one multipart file, under the name that belongs to the route.

https://dev.vk.com/ru/api/upload/video-in-profile
"""

import secrets
import time
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, answer, external
from sandbox.multipart import BadMultipart, Part, parts
from sandbox.state import Gone, Video
from sandbox.vk.errors import UploadRefusal
from sandbox.vk.wall import Wall

FIELDS = {"clip": "file", "video": "video_file"}
"""The part's name by route."""


class Upload:
    def __init__(self, emulator: Emulator, wall: Wall) -> None:
        self._emulator = emulator
        self._world = emulator.world
        self._wall = wall

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/vk-api/upload/<kind>/<name>", "upload", self._answer, methods=["POST"])

    def _answer(self, kind: str, name: str) -> Response:
        try:
            return answer(self._upload(kind, name))
        except UploadRefusal as refusal:
            return refusal.response()

    def _upload(self, kind: str, name: str) -> dict[str, Any]:
        video = self._world.videos.get(f"vk-{name}")
        if video is None or video.facts["kind"] != kind or request.args.get("key") != video.facts["upload_key"]:
            raise UploadRefusal("ERR_UPLOAD_BAD_URL", "upload_url is not valid")
        if video.ready_at is not None:
            raise UploadRefusal("ERR_UPLOAD_DONE", "the file is uploaded already")
        received = False
        try:
            for part in parts(request.environ["wsgi.input"], request.content_type or ""):
                if part.name == FIELDS[kind] and part.filename is not None:
                    self._receive(video, part)
                    received = True
        except BadMultipart as error:
            raise UploadRefusal("ERR_UPLOAD_BAD_REQUEST", str(error)) from error
        if not received or not video.bytes:
            raise UploadRefusal("ERR_UPLOAD_FILE_NOT_FOUND", f"there is no file in the field {FIELDS[kind]}")
        if kind == "clip" and video.bytes != video.total:
            raise UploadRefusal("ERR_UPLOAD_BAD_SIZE", f"{video.bytes} bytes came instead of {video.total}")
        return self._arrived(video)

    def _receive(self, video: Video, part: Part) -> None:
        limit = int(self._emulator.option("max_mb") * 1_000_000)
        with self._world.receive(video) as receiver:
            for block in part.blocks:
                if video.bytes + len(block) > limit:
                    raise UploadRefusal("ERR_UPLOAD_TOO_LARGE", "the file is too large")
                receiver.write(block)

    def _arrived(self, video: Video) -> dict[str, Any]:
        """A clip waits for shortVideo.publish; a video stands there at once."""
        said = {"size": video.bytes, "owner_id": int(video.account), "video_id": int(video.id)}
        with self._world.lock:
            if video.sha256 is None:
                raise Gone  # another upload of the same file has begun since
            video.facts |= {"hash": secrets.token_hex(9), "date": int(time.time())}
            self._emulator.process(video)
            if video.facts["kind"] == "video":
                video.url = f"/vk/video{video.account}_{video.id}"
                self._world.publish(video)
                if video.facts["wallpost"]:
                    owner = int(video.account)
                    self._wall.put(owner, owner, "", [video])
                said["direct_link"] = external(video.url)
        return {"video_hash": video.facts["hash"]} | said
