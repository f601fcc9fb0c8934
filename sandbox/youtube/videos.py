"""The videos of all channels: what becomes of them after their last byte, and how the API shows them."""

import secrets
import string
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sandbox.emulator import Emulator, external_url
from sandbox.state import Video

ID_CHARACTERS = string.ascii_letters + string.digits + "-_"
PICTURES = {"default": (120, 90), "medium": (320, 180), "high": (480, 360)}


class Videos:
    """A video's facts:

    - `metadata`: by part, as it was sent, with the privacy that it was given
    - `asked_privacy`, `notify`: as they were asked for
    - `rejection`, `failure`: why it is not shown
    - `cover`: SHA-256 of the thumbnail that was set
    - `published_at`: the end of its upload, Unix time
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = emulator.state

    def all(self) -> list[Video]:
        """Those that are completely uploaded, the newest first."""
        found = [one for one in self._state.videos if one.platform == "youtube" and one.id is not None]
        return sorted(found, key=lambda one: -one.facts["published_at"])

    def find(self, number: str) -> Video | None:
        return next((one for one in self.all() if one.id == number), None)

    def complete(self, video: Video) -> None:
        """Its last byte has come: it has a number from here on, and is processed."""
        number = "".join(secrets.choice(ID_CHARACTERS) for _ in range(11))
        video.id, video.url = number, f"/youtube-web/shorts/{number}"
        video.facts["published_at"] = time.time()
        forced = self._emulator.option("privacy")
        if forced:
            video.facts["metadata"]["status"]["privacyStatus"] = forced
        self._emulator.process(video)

    def advance(self) -> None:
        for video in self._state.uploaded_drafts("youtube"):
            if video.ready:
                self._finish(video)

    def _finish(self, video: Video) -> None:
        video.facts["failure"] = self._emulator.option("failure")
        video.facts["rejection"] = self._emulator.option("rejection") or self._duplicate(video)
        self._state.publish(video, video.ready_at)
        hidden = video.facts["failure"] or video.facts["rejection"] or _status(video)["privacyStatus"] == "private"
        video.visible = not hidden
        self._state.save(video)

    def _duplicate(self, video: Video) -> str:
        """https://support.google.com/youtube/answer/6070344"""
        if not self._emulator.option("reject_duplicates"):
            return ""
        others = (one for one in self.all() if one is not video and one.account == video.account and one.published)
        return "duplicate" if any(one.sha256 == video.sha256 for one in others) else ""

    # As the API shows it

    def resource(self, video: Video, parts: list[str]) -> dict[str, Any]:
        shown: dict[str, Any] = {"kind": "youtube#video", "etag": secrets.token_urlsafe(20), "id": video.id}
        for part in parts:
            if part in _PARTS:
                shown[part] = _PARTS[part](video)
        return shown

    def snippet(self, video: Video) -> dict[str, Any]:
        return _snippet(video)


def _status(video: Video) -> dict[str, Any]:
    return video.facts["metadata"]["status"]


def _snippet(video: Video) -> dict[str, Any]:
    own = video.facts["metadata"]["snippet"]
    return {
        "publishedAt": timestamp(video.facts["published_at"]),
        "channelId": video.account,
        "title": own["title"],
        "description": own["description"],
        "thumbnails": pictures(video),
        "channelTitle": video.facts["channel"],
        **{name: own[name] for name in ("tags", "defaultLanguage", "defaultAudioLanguage") if name in own},
        "categoryId": own["categoryId"],
        "liveBroadcastContent": "none",
        "localized": {"title": own["title"], "description": own["description"]},
    }


def _status_part(video: Video) -> dict[str, Any]:
    own = _status(video)
    failure, rejection = video.facts.get("failure"), video.facts.get("rejection")
    upload = "failed" if failure else "rejected" if rejection else "processed" if video.published else "uploaded"
    kids = own.get("selfDeclaredMadeForKids", False)
    return {
        "uploadStatus": upload,
        **({"failureReason": failure} if failure else {}),
        **({"rejectionReason": rejection} if rejection else {}),
        "privacyStatus": own["privacyStatus"],
        "license": own["license"],
        "embeddable": own.get("embeddable", True),
        "publicStatsViewable": own.get("publicStatsViewable", True),
        "madeForKids": kids,
        "selfDeclaredMadeForKids": kids,
        "containsSyntheticMedia": own.get("containsSyntheticMedia", False),
    }


def _processing(video: Video) -> dict[str, Any]:
    if video.facts.get("failure"):
        return {"processingStatus": "failed", "processingFailureReason": "transcodeFailed"}
    if video.facts.get("rejection"):
        return {"processingStatus": "terminated"}
    status = "succeeded" if video.published else "processing"
    return {"processingStatus": status, "thumbnailsAvailability": "available" if video.published else "inProgress"}


def _statistics(video: Video) -> dict[str, str]:
    """Numbers are strings; what is hidden is missing."""
    counts = {"viewCount": video.views, "likeCount": video.likes}
    return {name: str(count) for name, count in counts.items() if count is not None} | {
        "favoriteCount": "0",
        "commentCount": "0",
    }


def _file(video: Video) -> dict[str, str]:
    return {"fileName": "unknown", "fileSize": str(video.bytes), "fileType": "video", "container": "mov"}


def _placement(video: Video) -> dict[str, Any]:
    own = video.facts["metadata"].get("paidProductPlacementDetails", {})
    return {"hasPaidProductPlacement": own.get("hasPaidProductPlacement", False)}


_PARTS: dict[str, Callable[[Video], dict[str, Any]]] = {
    "snippet": _snippet,
    "status": _status_part,
    "processingDetails": _processing,
    "statistics": _statistics,
    "fileDetails": _file,
    "paidProductPlacementDetails": _placement,
}
OWNERS_PARTS = {"processingDetails", "fileDetails", "suggestions"}
"""https://developers.google.com/youtube/v3/docs/videos/list#part"""


def pictures(video: Video) -> dict[str, Any]:
    """One for each size."""
    version = (video.facts.get("cover") or "auto")[:12]
    return {
        name: {"url": external_url(f"/avatars/{video.id}-{version}.svg"), "width": width, "height": height}
        for name, (width, height) in PICTURES.items()
    }


def timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
