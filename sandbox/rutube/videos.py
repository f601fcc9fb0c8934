"""The life of a video: download, processing, moderation, publication when it is not hidden."""

import time
import uuid
from typing import Any

from sandbox.emulator import Emulator, avatar_url, external_url
from sandbox.rutube.channels import Channel
from sandbox.state import Video

CATEGORIES = {13: "Разное", 1: "Фильмы", 4: "Юмор", 6: "Музыка", 8: "Спорт", 9: "Путешествия", 11: "Блоги"}
"""Only 13 is from the vendor's page."""

REASONS = {
    "downloading": {"id": 15, "name": "downloading_video"},
    "moderation": {"id": 5, "name": "moderation"},
    "blocked": {"id": 6, "name": "blocked"},
}
"""`action_reason` by status. The names are from the vendor's page, the numbers are not."""
NO_REASON = {"id": 0, "name": ""}


class Videos:
    """A video's facts: `state` is downloading, processing, moderation, ready, blocked or error; `source`: its URL;
    `hidden`; `revealed_at`: when it was made visible; `publish_at`: when it is scheduled; `seen_from`: when GET
    begins to find it.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = emulator.state

    def begin(
        self, account: str, source: str, title: str, text: str, hidden: bool, category: int, adult: bool
    ) -> Video:
        number = uuid.uuid4().hex
        now = time.time()
        facts = {
            "state": "downloading",
            "source": source,
            "category": category,
            "adult": adult and self._emulator.option("takes_adult"),
            "hidden": hidden,
            "revealed_at": now,
            "publish_at": None,
            "seen_from": now + self._emulator.option("unseen_seconds"),
            "thumbnail": None,
        }
        return self._state.begin("rutube", account, f"rutube-{number}", id=number, title=title, text=text, facts=facts)

    def find(self, number: str) -> Video | None:
        """Returns None also for a video that GET does not find yet."""
        video = self._state.videos.get(f"rutube-{number}")
        return video if video is not None and video.facts["seen_from"] <= time.time() else None

    def list_for(self, account: str) -> list[Video]:
        """Returns the videos of an account, the newest first."""
        now = time.time()
        return [
            video
            for video in self._state.videos
            if (video.platform, video.account) == ("rutube", account) and video.facts["seen_from"] <= now
        ][::-1]

    def downloading(self) -> list[Video]:
        return [
            video
            for video in self._state.videos
            if video.platform == "rutube" and video.facts["state"] == "downloading"
        ]

    def set_status(self, video: Video, status: str) -> None:
        """Raises DraftGone."""
        video.facts["state"] = status
        self._state.save(video)

    def hide(self, video: Video, hidden: bool) -> None:
        if video.facts["hidden"] and not hidden:
            video.facts["revealed_at"] = time.time()
        video.facts["hidden"] = hidden
        if video.published:
            video.visible = not hidden

    def advance(self) -> None:
        for video in self._state.uploaded_drafts("rutube"):
            if not video.ready:
                continue
            facts = video.facts
            if facts["publish_at"] is not None and facts["publish_at"] <= time.time():
                facts |= {"hidden": False, "revealed_at": facts["publish_at"], "publish_at": None}
            status = "moderation" if self._state.options["moderation"] else "ready"
            if self._emulator.option("blocks") and not facts["hidden"]:
                status = "blocked"
            was_moderated = facts["state"] == "moderation"
            if status != facts["state"]:
                self.set_status(video, status)
            if status == "ready" and not facts["hidden"]:
                video.url = f"/rutube/video/{video.id}/"
                self._state.publish(video, None if was_moderated else max(video.ready_at, facts["revealed_at"]))


def video_json(video: Video, channel: Channel, show_is_hidden: bool) -> dict[str, Any]:
    """Returns a video in the API's format."""
    facts = video.facts
    return ({"is_hidden": facts["hidden"]} if show_is_hidden else {}) | {
        "id": video.id,
        "title": video.title,
        "description": video.text,
        "video_url": external_url(f"/rutube/video/{video.id}/"),
        "thumbnail_url": facts["thumbnail"] and external_url(f"/rutube/thumbnails/{facts['thumbnail']}"),
        "hits": video.views,
        "duration": 0,
        "is_deleted": facts["state"] in ("downloading", "blocked"),
        "action_reason": REASONS.get(facts["state"], NO_REASON),
        "status": facts["state"],
        "publication_ts": video.created_at if video.published else None,
        "origin_type": "rtb",
        "is_adult": facts.get("adult", False),
        "category": {"id": facts["category"], "name": CATEGORIES[facts["category"]]},
        "author": {"id": int(channel.id), "name": channel.name, "avatar_url": avatar_url(channel.name)},
    }
