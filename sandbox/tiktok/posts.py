"""The posts of all creators: what becomes of them after their last byte, and the creators' own settings."""

import secrets
import time
from typing import Any

from sandbox.emulator import Emulator
from sandbox.state import Video
from sandbox.tiktok import checks

DIRECT, INBOX = "direct", "inbox"
EVERYONE, FRIENDS, FOLLOWERS, SELF_ONLY = (
    "PUBLIC_TO_EVERYONE",
    "MUTUAL_FOLLOW_FRIENDS",
    "FOLLOWER_OF_CREATOR",
    "SELF_ONLY",
)
DAY = 24 * 3600


class Posts:
    """A video's facts beside those of `Upload`:

    - `way`: DIRECT, or INBOX for a draft that its creator finishes in the app
    - `post_info`: as it was sent
    - `began_at`: Unix time
    - `fail_reason`: why it is not published
    - `delivered`: it is in the creator's inbox
    - `public_at`: the end of the moderation, from which on its number is told and everyone sees it; 0: never
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._moderated = [one for one in self.all() if one.published and not one.visible and one.facts["public_at"]]

    def all(self) -> list[Video]:
        return [one for one in self._state.videos if one.platform == "tiktok"]

    def of(self, account: str) -> list[Video]:
        return [one for one in self.all() if one.account == account]

    def began_since(self, moment: float) -> list[Video]:
        return [one for one in self.all() if one.facts["began_at"] > moment]

    def pending(self, account: str) -> list[Video]:
        """What was sent to the creator's inbox within a day, and is not posted."""
        mine = (one for one in self.began_since(time.time() - DAY) if one.account == account)
        return [
            one
            for one in mine
            if one.facts["way"] == INBOX
            and one.ready_at is not None
            and not one.published
            and not one.facts["fail_reason"]
        ]

    def advance(self) -> None:
        for video in self._state.uploaded_drafts("tiktok"):
            if video.ready and not video.facts["fail_reason"] and not video.facts["delivered"]:
                self._finish(video)
        for video in list(self._moderated):
            if self._state.videos.get(video.key) is not video:
                self._moderated.remove(video)
            elif video.facts["public_at"] <= time.time():
                self._moderated.remove(video)
                video.visible = True
                self._state.save(video)

    def end_moderation(self) -> None:
        for video in self._moderated:
            video.facts["public_at"] = time.time()
        self.advance()

    def _finish(self, video: Video) -> None:
        reason = self._emulator.option("fail_reason")
        if not reason and self._emulator.option("checks_media"):
            reason = checks.failure(self._state.path(video), self._emulator.option("max_seconds"))
        if reason:
            video.facts["fail_reason"] = reason
            self._state.save(video)
        elif video.facts["way"] == INBOX:
            video.facts["delivered"] = True
            self._state.save(video)
        else:
            self.publish(video, video.ready_at)

    def publish(self, video: Video, at: float | None = None) -> None:
        video.id = _new_number()
        username = self._emulator.username(video.account)
        video.url = f"/tiktok-web/@{username}/video/{video.id}"
        is_public = video.facts["post_info"]["privacy_level"] == EVERYONE
        wait = self._emulator.option("moderation_seconds")
        video.facts["public_at"] = time.time() + wait if is_public else 0
        self._state.publish(video, at)
        video.visible = is_public and not wait
        self._state.save(video)
        if is_public and wait:
            self._moderated.append(video)

    def levels(self) -> list[str]:
        """`privacy_level_options`."""
        if (given := self._emulator.option("privacy_levels")) is not None:
            return given.replace(",", " ").split() if isinstance(given, str) else list(given)
        return [FOLLOWERS, FRIENDS, SELF_ONLY] if self._emulator.option("private") else [EVERYONE, FRIENDS, SELF_ONLY]

    def status(self, video: Video) -> dict[str, Any]:
        told = self._status(video)
        if not self._emulator.option("counts_bytes"):
            del told["uploaded_bytes"]
        return told

    @staticmethod
    def _status(video: Video) -> dict[str, Any]:
        if video.facts["fail_reason"]:
            return {"status": "FAILED", "fail_reason": video.facts["fail_reason"], "uploaded_bytes": video.bytes}
        if video.published:
            ids = [int(video.id)] if video.visible else []
            return {"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": ids, "uploaded_bytes": video.bytes}
        if video.facts["delivered"]:
            return {"status": "SEND_TO_USER_INBOX", "uploaded_bytes": video.bytes}
        return {"status": "PROCESSING_UPLOAD", "uploaded_bytes": video.bytes}


def _new_number() -> str:
    """As TikTok's: the time and something random, far beyond 2^53."""
    return str(int(time.time()) << 32 | secrets.randbits(32) | 1)
