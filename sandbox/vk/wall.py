"""Walls: https://dev.vk.com/ru/method/wall.post. A video and its first wall post are one post in the state."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.emulator import Emulator, split_list
from sandbox.state import Video
from sandbox.vk.call import Call, raise_invalid
from sandbox.vk.communities import Communities

MAX_COUNT = 100
"""https://dev.vk.com/ru/method/wall.get"""


@dataclass
class Post:
    """`videos`: keys of the attached videos. `closed`: it takes no comments."""

    id: int
    owner: int
    author: int
    text: str
    date: int
    videos: list[str] = field(default_factory=list)
    guid: str = ""
    pinned: bool = False
    closed: bool = False


class Wall:
    def __init__(self, emulator: Emulator, communities: Communities) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._communities = communities
        self._posts = self._state.table("vk_post", Post)

    def post(self, call: Call) -> dict[str, int]:
        """https://dev.vk.com/ru/method/wall.post"""
        owner = call.number("owner_id", call.owner)
        text, guid = call.text("message"), call.text("guid")
        as_community, closed = call.flag("from_group"), call.flag("close_comments")
        if call.number("publish_date", 0):
            raise_invalid("publish_date: the emulator publishes at once only")
        self._communities.check_editor(owner, call.token.account, code=214)
        videos = [self._attached(one) for one in split_list(call.text("attachments"))]
        if not text and not videos:
            raise_invalid("message or attachments should be given")
        for post in self._posts:
            if guid and self._emulator.option("guid") and (post.owner, post.guid) == (owner, guid):
                return {"post_id": post.id}
        author = owner if as_community and owner < 0 else call.owner
        return {"post_id": self.add_post(owner, author, text, videos, guid, closed=closed).id}

    def close_comments(self, call: Call) -> int:
        """https://dev.vk.com/ru/method/wall.closeComments"""
        owner, number = call.number("owner_id"), call.number("post_id")
        post = self._posts.get(f"{owner}_{number}")
        if post is None:
            raise_invalid("post_id is undefined")
        self._communities.check_editor(owner, call.token.account, code=15)
        post.closed = True
        self._posts.put(f"{owner}_{number}", post)
        return 1

    def post_of(self, video: Video) -> Post | None:
        """Returns the first post that holds the video."""
        return self._posts.get(video.facts["post"]) if "post" in video.facts else None

    def get(self, call: Call) -> dict[str, Any]:
        """https://dev.vk.com/ru/method/wall.get"""
        owner = call.number("owner_id", call.owner)
        count, offset = call.number("count", 20), call.number("offset", 0)
        if not 0 <= count <= MAX_COUNT or offset < 0:
            raise_invalid(f"count should be at most {MAX_COUNT}")
        posts = [post for post in self._posts if post.owner == owner]
        posts.sort(key=lambda post: (post.pinned, post.date, post.id), reverse=True)
        return {"count": len(posts), "items": [self._item(post) for post in posts[offset:][:count]]}

    def add_post(
        self,
        owner: int,
        author: int,
        text: str,
        videos: Iterable[Video],
        guid: str = "",
        age: float = 0,
        pinned: bool = False,
        closed: bool = False,
    ) -> Post:
        """Posts of a wall are numbered from 1. A video that already has a post is published once more."""
        videos = list(videos)
        with self._state.lock:
            number = max((post.id for post in self._posts if post.owner == owner), default=0) + 1
            date = int(time.time() - age)
            post = Post(number, owner, author, text, date, [video.key for video in videos], guid, pinned, closed)
            self._posts.put(f"{owner}_{number}", post)
            for video in videos:
                if "post" in video.facts:
                    self._publish_copy(video, post)
                else:
                    video.facts["post"] = f"{owner}_{number}"
                    self._state.save(video)
        return post

    def remove_video(self, video: Video) -> None:
        """Removes a deleted video from its posts, and deletes posts that are empty then."""
        for post in self._posts:
            if video.key in post.videos:
                post.videos.remove(video.key)
                if post.text or post.videos:
                    self._posts.put(f"{post.owner}_{post.id}", post)
                else:
                    self._posts.delete(f"{post.owner}_{post.id}")
        for other in self._state.videos:
            if other.facts.get("repeats") == video.key:
                self._state.discard(other)

    def _publish_copy(self, video: Video, post: Post) -> None:
        name = f"wall{post.owner}_{post.id}"
        self._state.publish_copy(
            video,
            account=str(post.owner),
            id=name,
            title=first_line(post.text) or video.title,
            text=post.text,
            url=f"/vk/{name}",
            facts={"repeats": video.key},
        )

    def _attached(self, name: str) -> Video:
        parsed = re.fullmatch(r"video(-?\d+_\d+)(?:_\w+)?", name)
        if parsed is None:
            raise_invalid("attachments: the emulator knows only video<owner_id>_<video_id>")
        video = self._state.videos.get(f"vk-{parsed[1]}")
        if video is None or not video.published:
            raise_invalid(f"attachments: there is no {name}")
        return video

    def _item(self, post: Post) -> dict[str, Any]:
        """https://dev.vk.com/ru/reference/objects/post"""
        videos = (self._state.videos.get(key) for key in post.videos)
        item = {
            "id": post.id,
            "owner_id": post.owner,
            "from_id": post.author,
            "inner_type": "wall_wallpost",
            "date": post.date,
            "text": post.text,
            "post_type": "post",
            "comments": {"count": 0, "can_post": int(not post.closed)},
            "attachments": [self._attachment(video) for video in videos if video is not None],
        }
        return item | {"is_pinned": 1} if post.pinned else item

    def _attachment(self, video: Video) -> dict[str, Any]:
        """VK's schema has both kinds, but does not say which one a clip has."""
        kind = "clip" if video.facts["kind"] == "clip" and self._emulator.option("clip_attachments") else "video"
        attachment = {"id": int(video.id), "owner_id": int(video.account), "title": video.title}
        return {"type": kind, kind: attachment}


def first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()
