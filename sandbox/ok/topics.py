"""Topics of groups. https://apiok.ru/dev/methods/rest/mediatopic/mediatopic.post"""

import time
from dataclasses import dataclass, field
from typing import Any

from sandbox.emulator import Emulator
from sandbox.ok.call import Call
from sandbox.ok.errors import invalid
from sandbox.ok.videos import Videos
from sandbox.state import Video

FIRST_ID = 156_700_000_000_001
MAX_COUNT = 100
MAX_TEXT = 64_000
"""Characters of one text; the vendor names no limit."""


@dataclass
class Topic:
    """`movies`: ids of the videos that it holds."""

    id: str
    group: str
    author: str
    text: str
    created_ms: int
    movies: list[str] = field(default_factory=list)
    sticky: bool = False


class Topics:
    def __init__(self, emulator: Emulator, videos: Videos) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._videos = videos
        self._topics = emulator.state.table("ok_topic", Topic)

    def find(self, number: str) -> Topic | None:
        return self._topics.get(number)

    # Methods

    def post(self, call: Call) -> str:
        """The answer is a bare string. A topic may hold a video that is not shown yet: nobody sees it there."""
        group = call.required("gid")
        if call.text("type") != "GROUP_THEME":
            raise invalid("type: the emulator knows only GROUP_THEME")
        text, movies = self._parsed(call.json("attachment"))
        self._videos.check_group(call, group)
        return self.add(group, call.user, text, movies).id

    def get(self, call: Call) -> dict[str, Any]:
        group, count = call.required("gid"), call.number("count", 10)
        if not 1 <= count <= MAX_COUNT:
            raise invalid(f"count is 1 to {MAX_COUNT}")
        topics = [topic for topic in self._topics if topic.group == group]
        topics.sort(key=lambda topic: (topic.sticky, topic.created_ms, topic.id), reverse=True)
        start = 0
        if anchor := call.text("anchor"):
            places = [place for place, topic in enumerate(topics) if anchor == f"after-{topic.id}"]
            if not places:
                raise invalid("anchor")
            start = places[0] + 1
        page = topics[start : start + count]
        if page and not self._emulator.option("tells_more"):
            return {"media_topics": [call.fields("media_topic", self._item(topic)) for topic in page]}
        if not page:
            return {"has_more": False}  # a list that would be empty is left out
        return {
            "media_topics": [call.fields("media_topic", self._item(topic)) for topic in page],
            "anchor": f"after-{page[-1].id}",
            "has_more": len(topics) > start + count,
        }

    def get_by_ids(self, call: Call) -> dict[str, Any]:
        found = [self.find(number.strip()) for number in call.required("topic_ids").split(",")]
        return {"media_topics": [call.fields("media_topic", self._item(topic)) for topic in found if topic]}

    # Shared

    def add(self, group: str, author: str, text: str, movies: list[str], age: float = 0, sticky: bool = False) -> Topic:
        """A video that stands in a topic already is published once more."""
        with self._state.lock:
            number = str(max((int(topic.id) for topic in self._topics), default=FIRST_ID - 1) + 1)
            created = int((time.time() - age) * 1000)
            topic = Topic(number, group, author, text, created, movies, sticky)
            self._topics.put(number, topic)
            for movie in movies:
                self._show(self._videos.find(movie), topic)
        return topic

    def _show(self, video: Video, topic: Topic) -> None:
        url = f"/ok-web/group/{topic.group}/topic/{topic.id}"
        if "topic" not in video.facts:
            video.facts["topic"], video.url = topic.id, url
            self._state.save(video)
        elif video.visible:
            self._state.publish_copy(
                video, account=topic.group, id=f"topic-{topic.id}", title=video.title, text=topic.text, url=url
            )

    def _parsed(self, attachment: Any) -> tuple[str, list[str]]:
        media = attachment.get("media") if isinstance(attachment, dict) else None
        if not isinstance(media, list) or not media:
            raise invalid("attachment: media is a list that is not empty")
        texts, movies = [], []
        for part in media:
            match part:
                case {"type": "text", "text": str(text)} if 0 < len(text) <= MAX_TEXT:
                    texts.append(text)
                case {"type": "movie", "list": [*entries]} if entries:
                    movies += [self._movie(entry) for entry in entries]
                case _:
                    raise invalid("attachment: the emulator knows a text and a movie's list")
        return "\n".join(texts), movies

    def _movie(self, entry: Any) -> str:
        number = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(number, str) or self._videos.find(number) is None:
            raise invalid("attachment: there is no such movie")
        return number

    def _item(self, topic: Topic) -> dict[str, Any]:
        media: list[dict[str, Any]] = [{"type": "text", "text": topic.text}] if topic.text else []
        if topic.movies:
            media.append({"type": "movie", "movie_refs": [f"movie:{movie}" for movie in topic.movies]})
        first = self._videos.find(topic.movies[0]) if topic.movies else None
        return {
            "id": topic.id,
            "created_ms": topic.created_ms,
            "author_ref": f"group:{topic.group}",
            "owner_ref": f"group:{topic.group}",
            "media": media,
            "like_summary": {"count": (first.likes if first else 0) or 0, "self": False},
            "discussion_summary": {"comments_count": 0},
            "is_sticky": topic.sticky,
        }
