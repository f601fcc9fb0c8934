"""Videos of groups. https://apiok.ru/dev/methods/rest/video/

A video has its number before its first byte. Those who may post in the group see it in video.get from then on, under
the name of its file; viewers see it after video.update.
"""

import re
import secrets
import time
from html import escape
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, external_url
from sandbox.multipart import BadMultipart, Part, parts
from sandbox.ok.call import Call
from sandbox.ok.errors import ApiError, invalid
from sandbox.ok.groups import Groups
from sandbox.state import DraftGone, Video

MIN_BYTES = 16 << 10
MAX_BYTES = 1 << 30
MAX_TITLE = 1000
MAX_DESCRIPTION = 4000
MAX_IDS = 100
FIRST_ID = 7_654_321_000_000
EXTENSIONS = {"3gp", "avi", "flv", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "ogv", "webm", "wmv"}
PRIVACY = ("PUBLIC", "FRIENDS")


class Videos:
    """A video's facts: `key` of its upload address, `post_form`, `privacy`, `topic` (the first that holds it)."""

    def __init__(self, emulator: Emulator, groups: Groups) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._groups = groups

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/ok-api/upload/<number>", "upload", self._respond, methods=["POST"])

    def find(self, number: str) -> Video | None:
        return self._state.videos.get(f"ok-{number}")

    # Methods

    def get_upload_url(self, call: Call) -> dict[str, Any]:
        group, name, size = call.required("gid"), call.required("file_name"), call.number("file_size", 0)
        post_form = call.flag("post_form")
        self.check_group(call, group)
        if not re.fullmatch(r".+\.(\w+)", name) or name.rpartition(".")[2].lower() not in EXTENSIONS:
            raise invalid("BadFormat")
        if size:
            check_size(size)
        taken = [int(one.id) for one in self._state.videos if one.platform == "ok" and "key" in one.facts]
        number = max(taken, default=FIRST_ID) + 1
        video = self._state.begin(
            "ok",
            group,
            f"ok-{number}",
            id=str(number),
            title=name,
            total=size or None,
            facts={"key": secrets.token_hex(16), "post_form": post_form, "begun_ms": int(time.time() * 1000)},
        )
        address = external_url(f"/ok-api/upload/{number}?key={video.facts['key']}")
        return {"upload_url": address, "video_id": number}  # a number

    def update(self, call: Call) -> Any:
        """Its answer is empty: `ok_empty_answer`."""
        video = self._owned(call)
        title, description = call.text("title", MAX_TITLE), call.text("description", MAX_DESCRIPTION)
        privacy = call.text("privacy") or "PUBLIC"
        if privacy not in PRIVACY:
            raise invalid(f"privacy is one of {', '.join(PRIVACY)}")
        if not video.sha256 or not video.bytes:
            raise ApiError(300, "The video is not uploaded yet")
        video.title, video.text = title or video.title, description or video.text
        video.facts["privacy"] = privacy
        video.url = video.url or f"/ok-web/video/{video.id}"
        if video.published:
            self._state.save(video)
        elif privacy == "PUBLIC":
            self._state.publish(video)
        return None

    def get(self, call: Call) -> dict[str, Any]:
        numbers = [number.strip() for number in call.required("vids").split(",")]
        if len(numbers) > MAX_IDS:
            raise invalid(f"vids: at most {MAX_IDS}")
        found = [self.find(number) for number in numbers]
        seen = [one for one in found if one and (one.visible or self._groups.may_post(call.user, one.account))]
        return {"videos": [call.fields("video", _item(video)) for video in seen]} if seen else {}

    def _owned(self, call: Call) -> Video:
        video = self.find(call.required("vid"))
        if video is None:
            raise ApiError(300)
        self.check_group(call, video.account)
        return video

    def check_group(self, call: Call, group: str) -> None:
        if self._groups.find(group) is None:
            raise ApiError(300, "The group is not found")
        if not self._groups.may_post(call.user, group):
            raise ApiError(10)

    # The upload server

    def _respond(self, number: str) -> Response:
        try:
            self._upload(number)
        except ApiError as error:
            return error.response()
        return Response("<retval>1</retval>", mimetype="text/xml")

    def _upload(self, number: str) -> None:
        video = self.find(number)
        if video is None or request.args.get("key") != video.facts.get("key"):
            raise ApiError(300, "The address is not valid")
        if video.published or (video.sha256 and not self._emulator.option("upload_again")):
            raise invalid("The file is uploaded already")
        files = 0
        try:
            for part in parts(request.environ["wsgi.input"], request.content_type or ""):
                if part.filename is not None:
                    files += 1
                    self._receive(video, part)
        except BadMultipart as error:
            raise invalid(str(error)) from error
        if files != 1:
            raise invalid("one file is wanted")
        with self._state.lock:
            if video.sha256 is None:
                raise DraftGone  # another upload of the same file has begun
            if video.total not in (None, video.bytes):
                self._forget(video)
                raise invalid(f"{video.total} bytes were announced")
            try:
                check_size(video.bytes)
            except ApiError:
                self._forget(video)
                raise

    def _receive(self, video: Video, part: Part) -> None:
        with self._state.receive(video) as receiver:
            for block in part.blocks:
                receiver.write(block)

    def _forget(self, video: Video) -> None:
        video.bytes, video.sha256 = 0, None
        self._state.save(video)


def check_size(size: int) -> None:
    if size < MIN_BYTES:
        raise invalid("FileToSmall")
    if size > MAX_BYTES:
        raise invalid("FileToLarge")


def _item(video: Video) -> dict[str, Any]:
    """No field tells a video that was updated from one that was not, but those that video.update has changed."""
    item: dict[str, Any] = {
        "id": video.id,
        "title": escape(video.title, quote=False),
        "description": escape(video.text, quote=False),
        "created_ms": video.facts["begun_ms"],
        "owner_id": video.account,
        "privacy": video.facts.get("privacy", "PUBLIC"),
        "permalink": external_url(f"/ok-web/video/{video.id}"),
    }
    if video.views is not None:
        item["total_views"] = video.views
    if video.likes is not None:
        item["like_summary"] = {"count": video.likes, "self": False, "like_id": secrets.token_hex(6)}
    return item
