"""Videos and clips: https://dev.vk.com/ru/method/video; the clips' methods are not documented by VK.

Both get their ids before the upload, and from then on their owner sees them in video.get. Others see a video as soon
as it is uploaded, and a clip only after shortVideo.publish.
"""

import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

from sandbox.emulator import Emulator, external_url, split_list
from sandbox.state import Video
from sandbox.vk.call import Call, raise_invalid
from sandbox.vk.communities import Communities
from sandbox.vk.errors import ApiError
from sandbox.vk.wall import Wall, first_line

FIRST_ID = 456239017
"""The first video id of each owner."""
MAX_NAME = 128
MAX_DESCRIPTION = 5000
"""Characters. https://dev.vk.com/ru/method/video.save"""
MAX_COUNT = 200
"""https://dev.vk.com/ru/method/video.get"""
COMMENTS_OF_USERS = ("all", "friends", "friends_of_friends", "friends_of_friends_only", "nobody", "only_me")
COMMENTS_OF_COMMUNITIES = ("all", "members", "editors", "nobody")
"""https://dev.vk.com/ru/reference/objects/privacy, without lists and single people."""
DURATION = 1
"""Seconds. Nothing is decoded: every processed video has this duration."""


def key(owner: int | str, number: int | str) -> str:
    """Returns the key of a video in the state."""
    return f"vk-{owner}_{number}"


@dataclass
class Numbering:
    """An owner's last video id. Ids are not reused, even after a video is deleted."""

    last: int = FIRST_ID - 1


class Videos:
    def __init__(self, emulator: Emulator, communities: Communities, wall: Wall) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._communities = communities
        self._wall = wall
        self._numberings = self._state.table("vk_numbering", Numbering)

    def save(self, call: Call) -> dict[str, Any]:
        """https://dev.vk.com/ru/method/video.save"""
        if call.text("link"):
            raise_invalid("link: the emulator takes uploads only")
        name, description = call.text("name", MAX_NAME), call.text("description", MAX_DESCRIPTION)
        _check_privacy(call)
        facts = {"wallpost": call.flag("wallpost"), "comments": not _closes_comments_of_video(call)}
        video = self._begin(call, "video", title=name or "Без названия", text=description, facts=facts)
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
        if not 0 <= count <= MAX_COUNT or offset < 0:
            raise_invalid(f"count should be at most {MAX_COUNT}")
        if call.text("videos"):
            found = [self._find(one) for one in split_list(call.text("videos"))]
            videos = [video for video in found if video is not None and self._may_view(call, video)]
        else:
            owner = str(call.number("owner_id", call.owner))
            videos = [
                video
                for video in self._state.videos
                if (video.platform, video.account) == ("vk", owner)
                and "kind" in video.facts
                and self._may_view(call, video)
            ][::-1]
        return {"count": len(videos), "items": [_item(video) for video in videos[offset:][:count]]}

    def delete(self, call: Call) -> int:
        """https://dev.vk.com/ru/method/video.delete. Deletes drafts too."""
        video = self._owned(call)
        self._wall.remove_video(video)
        self._state.discard(video)
        return 1

    # Clips

    def create_clip(self, call: Call) -> dict[str, Any]:
        size = call.number("file_size")
        if not 0 < size <= self._emulator.option("max_mb") * 1_000_000:
            raise_invalid("file_size is out of range")
        text = call.text("description", MAX_DESCRIPTION)
        call.flag("wallpost")  # only validated: shortVideo.publish decides
        video = self._begin(call, "clip", title=first_line(text), text=text, total=size)
        return {"owner_id": int(video.account), "video_id": int(video.id), "upload_url": _upload_url(video)}

    def encode_progress(self, call: Call) -> dict[str, Any]:
        video = self._owned(call, "clip")
        if call.text("hash") != video.facts.get("hash", ""):
            raise_invalid("hash is invalid")
        if video.ready_at is None:
            raise_invalid("hash is undefined")
        seconds = self._state.options["processing_seconds"]
        percents = 100 if video.ready else min(99, max(0, int(100 - 100 * (video.ready_at - time.time()) / seconds)))
        return {"percents": percents, "is_ready": video.ready}

    def edit_clip(self, call: Call) -> int:
        video = self._owned(call, "clip")
        _check_privacy(call)
        if "privacy_comment" in call.params:
            video.facts["comments"] = _privacy_of_comments(call, int(video.account)) != "nobody"
        if "description" in call.params:
            video.text = call.text("description", MAX_DESCRIPTION)
            video.title = first_line(video.text)
        self._state.save(video)
        return 1

    def publish_clip(self, call: Call) -> dict[str, Any]:
        video = self._owned(call, "clip")
        if not call.flag("license_agree"):
            raise_invalid("license_agree should be 1")
        if call.number("publish_date", 0):
            raise_invalid("publish_date: the emulator publishes at once only")
        if video.published:
            raise_invalid("video is published already")
        if not video.ready:
            raise ApiError(3001)
        video.url = f"/vk/clip{video.account}_{video.id}"
        self._state.publish(video)
        if call.flag("wallpost") and self._emulator.option("clip_posts"):
            self._wall.add_post(int(video.account), call.owner, video.text, [video])
        return {
            "video": {
                "id": int(video.id),
                "owner_id": int(video.account),
                "title": video.title,
                "direct_url": external_url(video.url),
            }
        }

    # Shared

    def _may_view(self, call: Call, video: Video) -> bool:
        return video.published or self._communities.may_edit(int(video.account), call.token.account)

    def _begin(self, call: Call, kind: str, facts: dict[str, Any] | None = None, **fields: Any) -> Video:
        group = call.number("group_id", 0)
        if group < 0:
            raise_invalid("group_id should be positive")
        owner = -group or call.owner
        self._communities.check_editor(owner, call.token.account, code=204)
        numbering = self._numberings.get(str(owner)) or Numbering()
        number = numbering.last = numbering.last + 1
        self._numberings.put(str(owner), numbering)
        facts = {"kind": kind, "upload_key": secrets.token_hex(16), "date": int(time.time())} | (facts or {})
        return self._state.begin("vk", str(owner), key(owner, number), id=str(number), facts=facts, **fields)

    def _find(self, name: str) -> Video | None:
        """Returns the video `<owner>_<id>[_<access key>]`."""
        parsed = re.fullmatch(r"(-?\d+)_(\d+)(?:_\w+)?", name)
        if parsed is None:
            raise_invalid("videos should be a list of <owner_id>_<video_id>")
        return self._state.videos.get(key(parsed[1], parsed[2]))

    def _owned(self, call: Call, kind: str | None = None) -> Video:
        """Returns the video of `owner_id` and `video_id`. Raises ApiError if the caller may not change it."""
        owner, number = call.number("owner_id"), call.number("video_id")
        video = self._state.videos.get(key(owner, number))
        if video is None or kind not in (None, video.facts["kind"]):
            raise ApiError(204)
        self._communities.check_editor(owner, call.token.account, code=204)
        return video


def _upload_url(video: Video) -> str:
    return external_url(
        f"/vk-api/upload/{video.facts['kind']}/{video.account}_{video.id}?key={video.facts['upload_key']}"
    )


def _check_privacy(call: Call) -> None:
    if call.text("privacy_view") not in ("", "all") or call.flag("is_private"):
        raise_invalid("privacy_view: the emulator knows only all")


def _privacy_of_comments(call: Call, owner: int) -> str:
    """https://dev.vk.com/ru/reference/objects/privacy"""
    value = call.text("privacy_comment")
    if value not in COMMENTS_OF_COMMUNITIES if owner < 0 else value not in COMMENTS_OF_USERS:
        raise_invalid(f"privacy_comment {value!r} is unknown")
    return value


def _closes_comments_of_video(call: Call) -> bool:
    """Each parameter counts for one kind of owner only: https://dev.vk.com/ru/method/video.save"""
    closed = call.flag("no_comments")
    if call.number("group_id", 0):
        return closed
    return bool(call.text("privacy_comment")) and _privacy_of_comments(call, call.owner) == "nobody"


def _item(video: Video) -> dict[str, Any]:
    """https://dev.vk.com/ru/reference/objects/video. No field distinguishes a draft from a published video."""
    kind = video.facts["kind"]
    item = {
        "id": int(video.id),
        "owner_id": int(video.account),
        "type": "short_video" if kind == "clip" else "video",
        "title": video.title,
        "description": video.text,
        "date": video.facts["date"],
        "comments": 0,
        "can_comment": int(video.facts.get("comments", True)),
        "duration": DURATION if video.ready else 0,
        "player": external_url(f"/vk/{kind}{video.account}_{video.id}"),
    }
    if video.views is not None:
        item["views"] = video.views
    if video.likes is not None:
        item["likes"] = {"count": video.likes, "user_likes": 0}
    if video.shares is not None:
        item["reposts"] = {"count": video.shares, "user_reposted": 0}
    return item if video.ready else item | {"processing": 1, "converting": 1}
