"""What becomes of a video by itself: it downloads, it processes, and what is not hidden comes to be seen."""

import time
import uuid
from typing import Any

from sandbox.emulator import Emulator, avatar, external
from sandbox.rutube.channels import Channel
from sandbox.state import Video

CATEGORIES = {13: "Разное", 1: "Фильмы", 4: "Юмор", 6: "Музыка", 8: "Спорт", 9: "Путешествия", 11: "Блоги"}
"""Only 13 is by the vendor's page."""

REASONS = {
    "downloading": {"id": 15, "name": "downloading_video"},
    "moderation": {"id": 5, "name": "moderation"},
    "blocked": {"id": 6, "name": "blocked"},
}
"""`action_reason` by state. The names are by the vendor's page, the numbers are not."""
NO_REASON = {"id": 0, "name": ""}


class Videos:
    """A video's facts: `state` is downloading, processing, moderation, ready, blocked or error; `source` its address;
    `hidden`; `revealed_at`, when it ceased to be; `publish_at`, when it shall; `seen_from`, when GET knows it.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._world = emulator.world

    def begin(self, account: str, source: str, title: str, text: str, hidden: bool, category: int) -> Video:
        number = uuid.uuid4().hex
        now = time.time()
        facts = {
            "state": "downloading",
            "source": source,
            "category": category,
            "hidden": hidden,
            "revealed_at": now,
            "publish_at": None,
            "seen_from": now + self._emulator.option("unseen_seconds"),
            "thumbnail": None,
        }
        return self._world.begin("rutube", account, f"rutube-{number}", id=number, title=title, text=text, facts=facts)

    def find(self, number: str) -> Video | None:
        """None for one that has only just been begun, too."""
        video = self._world.videos.get(f"rutube-{number}")
        return video if video is not None and video.facts["seen_from"] <= time.time() else None

    def of(self, account: str) -> list[Video]:
        """The newest first."""
        now = time.time()
        return [
            video
            for video in self._world.videos
            if (video.platform, video.account) == ("rutube", account) and video.facts["seen_from"] <= now
        ][::-1]

    def downloading(self) -> list[Video]:
        return [
            video
            for video in self._world.videos
            if video.platform == "rutube" and video.facts["state"] == "downloading"
        ]

    def set_state(self, video: Video, state: str) -> None:
        """Raises Gone."""
        video.facts["state"] = state
        self._world.keep(video)

    def hide(self, video: Video, hidden: bool) -> None:
        if video.facts["hidden"] and not hidden:
            video.facts["revealed_at"] = time.time()
        video.facts["hidden"] = hidden
        if video.published:
            video.visible = not hidden

    def settle(self) -> None:
        for video in self._world.received("rutube"):
            if not video.ready:
                continue
            facts = video.facts
            if facts["publish_at"] is not None and facts["publish_at"] <= time.time():
                facts |= {"hidden": False, "revealed_at": facts["publish_at"], "publish_at": None}
            state = "moderation" if self._world.options["moderation"] else "ready"
            if self._emulator.option("blocks") and not facts["hidden"]:
                state = "blocked"
            held_up = facts["state"] == "moderation"
            if state != facts["state"]:
                self.set_state(video, state)
            if state == "ready" and not facts["hidden"]:
                video.url = f"/rutube/video/{video.id}/"
                self._world.publish(video, None if held_up else max(video.ready_at, facts["revealed_at"]))


def shown(video: Video, channel: Channel, tells_hidden: bool) -> dict[str, Any]:
    """A video as the API shows it."""
    facts = video.facts
    return ({"is_hidden": facts["hidden"]} if tells_hidden else {}) | {
        "id": video.id,
        "title": video.title,
        "description": video.text,
        "video_url": external(f"/rutube/video/{video.id}/"),
        "thumbnail_url": facts["thumbnail"] and external(f"/rutube/thumbnails/{facts['thumbnail']}"),
        "hits": video.views,
        "duration": 0,
        "is_deleted": facts["state"] in ("downloading", "blocked"),
        "action_reason": REASONS.get(facts["state"], NO_REASON),
        "status": facts["state"],
        "publication_ts": video.created_at if video.published else None,
        "origin_type": "rtb",
        "category": {"id": facts["category"], "name": CATEGORIES[facts["category"]]},
        "author": {"id": int(channel.id), "name": channel.name, "avatar_url": avatar(channel.name)},
    }
