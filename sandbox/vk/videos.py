"""Videos and clips: https://dev.vk.com/ru/method/video; the clips' methods are not documented by VK.

Both are begun with their ids, before any byte, and from then on their owner sees them in video.get. Others see a video
as soon as it is uploaded, and a clip only after shortVideo.publish.
"""

import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

from sandbox.emulator import Emulator, external, words
from sandbox.state import Video
from sandbox.vk.call import Call, wrong
from sandbox.vk.communities import Communities
from sandbox.vk.errors import Refusal
from sandbox.vk.wall import Wall, first_line

FIRST_ID = 456239017
"""VK numbers the videos of each owner from here."""
MAX_NAME = 128
MAX_DESCRIPTION = 5000
"""Characters. https://dev.vk.com/ru/method/video.save"""
MOST_AT_ONCE = 200
"""https://dev.vk.com/ru/method/video.get"""
DURATION = 1
"""Seconds. Nothing is decoded here: any video that has been processed is said to last so long."""


def key(owner: int | str, number: int | str) -> str:
    """Under this the world finds a video."""
    return f"vk-{owner}_{number}"


@dataclass
class Numbering:
    """An owner's last video id. They are not given out twice, even after a video is deleted."""

    last: int = FIRST_ID - 1


class Videos:
    def __init__(self, emulator: Emulator, communities: Communities, wall: Wall) -> None:
        self._emulator = emulator
        self._world = emulator.world
        self._communities = communities
        self._wall = wall
        self._numberings = self._world.table("vk_numbering", Numbering)

    def save(self, call: Call) -> dict[str, Any]:
        """https://dev.vk.com/ru/method/video.save"""
        if call.text("link"):
            wrong("link: the emulator takes uploads only")
        name, description = call.text("name", MAX_NAME), call.text("description", MAX_DESCRIPTION)
        _check_privacy(call)
        wall = call.flag("wallpost")
        video = self._begin(call, "video", title=name or "Без названия", text=description, facts={"wallpost": wall})
        return {
            "access_key": secrets.token_hex(9),
            "owner_id": int(video.account),
            "video_id": int(video.id),
            "upload_url": _upload_url(video),
            "title": video.title,
            "description": video.text,
        }

    def get(self, call: Call) -> dict[str, Any]:
        """https://dev.vk.com/ru/method/video.get"""
        count, offset = call.number("count", 100), call.number("offset", 0)
        if not 0 <= count <= MOST_AT_ONCE or offset < 0:
            wrong(f"count should be at most {MOST_AT_ONCE}")
        if call.text("videos"):
            found = [self._named(one) for one in words(call.text("videos"))]
            shown = [video for video in found if video is not None and self._sees(call, video)]
        else:
            owner = str(call.number("owner_id", call.owner))
            shown = [
                video
                for video in self._world.videos
                if (video.platform, video.account) == ("vk", owner)
                and "kind" in video.facts
                and self._sees(call, video)
            ][::-1]
        return {"count": len(shown), "items": [_item(video) for video in shown[offset:][:count]]}

    def delete(self, call: Call) -> int:
        """https://dev.vk.com/ru/method/video.delete. Drafts go as well."""
        video = self._own(call)
        self._wall.forget(video)
        self._world.discard(video)
        return 1

    # Clips

    def create_clip(self, call: Call) -> dict[str, Any]:
        size = call.number("file_size")
        if not 0 < size <= self._emulator.option("max_mb") * 1_000_000:
            wrong("file_size is out of range")
        text = call.text("description", MAX_DESCRIPTION)
        call.flag("wallpost")  # what counts is what shortVideo.publish says
        video = self._begin(call, "clip", title=first_line(text), text=text, total=size)
        return {"owner_id": int(video.account), "video_id": int(video.id), "upload_url": _upload_url(video)}

    def encode_progress(self, call: Call) -> dict[str, Any]:
        video = self._own(call, "clip")
        if call.text("hash") != video.facts.get("hash", ""):
            wrong("hash is invalid")
        if video.ready_at is None:
            wrong("hash is undefined")
        seconds = self._world.options["processing_seconds"]
        done = 100 if video.ready else min(99, max(0, int(100 - 100 * (video.ready_at - time.time()) / seconds)))
        return {"percents": done, "is_ready": video.ready}

    def edit_clip(self, call: Call) -> int:
        video = self._own(call, "clip")
        _check_privacy(call)
        if "description" in call.params:
            video.text = call.text("description", MAX_DESCRIPTION)
            video.title = first_line(video.text)
        self._world.keep(video)
        return 1

    def publish_clip(self, call: Call) -> dict[str, Any]:
        video = self._own(call, "clip")
        if not call.flag("license_agree"):
            wrong("license_agree should be 1")
        if call.number("publish_date", 0):
            wrong("publish_date: the emulator publishes at once only")
        if video.published:
            wrong("video is published already")
        if not video.ready:
            raise Refusal(3001)
        video.url = f"/vk/clip{video.account}_{video.id}"
        self._world.publish(video)
        if call.flag("wallpost") and self._emulator.option("clip_posts"):
            self._wall.put(int(video.account), call.owner, video.text, [video])
        return {
            "video": {
                "id": int(video.id),
                "owner_id": int(video.account),
                "title": video.title,
                "direct_url": external(video.url),
            }
        }

    # What several methods ask

    def _sees(self, call: Call, video: Video) -> bool:
        return video.published or self._communities.may_edit(int(video.account), call.token.account)

    def _begin(self, call: Call, kind: str, facts: dict[str, Any] | None = None, **known: Any) -> Video:
        group = call.number("group_id", 0)
        if group < 0:
            wrong("group_id should be positive")
        owner = -group or call.owner
        self._communities.check_editor(owner, call.token.account, code=204)
        numbering = self._numberings.get(str(owner)) or Numbering()
        number = numbering.last = numbering.last + 1
        self._numberings.put(str(owner), numbering)
        facts = {"kind": kind, "upload_key": secrets.token_hex(16), "date": int(time.time())} | (facts or {})
        return self._world.begin("vk", str(owner), key(owner, number), id=str(number), facts=facts, **known)

    def _named(self, name: str) -> Video | None:
        """`<owner>_<id>`, with an access key or without."""
        parsed = re.fullmatch(r"(-?\d+)_(\d+)(?:_\w+)?", name)
        if parsed is None:
            wrong("videos should be a list of <owner_id>_<video_id>")
        return self._world.videos.get(key(parsed[1], parsed[2]))

    def _own(self, call: Call, kind: str | None = None) -> Video:
        """The video of `owner_id` and `video_id`. Raises Refusal where the caller may not change it."""
        owner, number = call.number("owner_id"), call.number("video_id")
        video = self._world.videos.get(key(owner, number))
        if video is None or kind not in (None, video.facts["kind"]):
            raise Refusal(204)
        self._communities.check_editor(owner, call.token.account, code=204)
        return video


def _upload_url(video: Video) -> str:
    return external(f"/vk-api/upload/{video.facts['kind']}/{video.account}_{video.id}?key={video.facts['upload_key']}")


def _check_privacy(call: Call) -> None:
    if call.text("privacy_view") not in ("", "all") or call.flag("is_private"):
        wrong("privacy_view: the emulator knows only all")


def _item(video: Video) -> dict[str, Any]:
    """https://dev.vk.com/ru/reference/objects/video. No field tells a draft from what is published."""
    kind = video.facts["kind"]
    item = {
        "id": int(video.id),
        "owner_id": int(video.account),
        "type": "short_video" if kind == "clip" else "video",
        "title": video.title,
        "description": video.text,
        "date": video.facts["date"],
        "comments": 0,
        "duration": DURATION if video.ready else 0,
        "player": external(f"/vk/{kind}{video.account}_{video.id}"),
    }
    if video.views is not None:
        item["views"] = video.views
    if video.likes is not None:
        item["likes"] = {"count": video.likes, "user_likes": 0}
    if video.shares is not None:
        item["reposts"] = {"count": video.shares, "user_reposted": 0}
    return item if video.ready else item | {"processing": 1, "converting": 1}
