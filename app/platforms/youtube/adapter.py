"""YouTube, by the Data API v3: https://developers.google.com/youtube/v3/docs

A video stands on its channel as soon as its last byte has come: the resumable upload is the commit, and its session can
be asked what became of it. The cover and what else follows never undo a publication.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from app import clock
from app.platforms.base import Account, Counting, Limits, NotPublished, PublishContext, Receipt, Stats, Token, Unknown
from app.platforms.errors import (
    PlatformError,
    QuotaSpent,
    RateLimited,
    Reconnect,
    Refused,
    Rejected,
    Stale,
    Unavailable,
)
from app.platforms.text_units import TextUnit
from app.platforms.youtube import choices
from app.platforms.youtube.api import IDS_PER_CALL
from app.platforms.youtube.auth import GoogleAccess
from app.platforms.youtube.reasons import REASONS
from app.platforms.youtube.upload import Incomplete, Session, SessionGone

_PROCESSING_SECONDS = 3600
# A video that YouTube does not know for so long after its upload has been deleted.
_UNSEEN_SECONDS = 600
# For so long a cover is tried again.
_COVER_SECONDS = 300
# YouTube dates videos by its own clock; ours may be wrong.
_CLOCKS_DIFFER = timedelta(minutes=10)

REJECTIONS = {
    "duplicate": "youtube_duplicate",
    "length": "youtube_length",
    **dict.fromkeys(("uploaderAccountClosed", "uploaderAccountSuspended"), "youtube_channel_closed"),
}

Started = Mapping[str, str]  # what `_start` returns


class YouTube(GoogleAccess):
    key = "youtube"
    name = "YouTube"
    other_names = ("ютуб", "ютьюб", "youtube shorts", "шортс")
    options = choices.OPTIONS
    reasons = {**GoogleAccess.reasons, **REASONS}
    steps = {
        "start": "название и настройки",
        "upload": "загрузка видео",
        "processed": "обработка видео",
        "cover": "обложка",
    }

    @classmethod
    def mode(cls, config: Mapping[str, Any]) -> str:
        return "Вертикальное и квадратное до 3 минут YouTube сам показывает в Shorts, остальное — как обычное видео."

    @classmethod
    def limits(cls, config: Mapping[str, Any]) -> Limits:
        return Limits(
            max_bytes=256 * 2**30,  # this and the next: https://support.google.com/youtube/answer/71673
            max_seconds=12 * 3600,
            max_title=choices.MAX_TITLE,  # this and the rest: https://developers.google.com/youtube/v3/docs/videos
            max_description=choices.MAX_DESCRIPTION,
            description_unit=TextUnit.BYTES,
            forbidden=choices.FORBIDDEN,
        )

    # Publishing

    def publish(self, context: PublishContext) -> Receipt:
        is_new = context.answer("start") is None
        started = context.step("start", self._start, context)
        receipt = context.commit("upload", self._upload, context, started, is_new, find=self._find)
        privacy = context.wait("processed", self._processed, context, receipt.id, every=20, until=_PROCESSING_SECONDS)
        if not privacy:
            return replace(receipt, remark="youtube_unchecked")
        cover = context.wait("cover", self._set_cover, context, receipt.id, every=20, until=_PROCESSING_SECONDS)
        return replace(receipt, remark=self._remark(context.options["privacy"], privacy, cover))

    def _start(self, context: PublishContext) -> dict[str, str]:
        """Opens a session; every refusal of the metadata comes here, before a byte of the clip. It costs quota."""
        context.clip.open().close()  # raises what is wrong with the file
        window = self.quota(self.config).window(clock.now())
        try:
            self.http.pace(window)
        except RateLimited:
            raise QuotaSpent(self._api.quota_ends_at()) from None
        body = choices.metadata(context.title, context.description, dict(context.options))
        notify = "true" if context.options["notify"] else "false"
        response = self._api.upload(
            "videos",
            context.token,
            params={"uploadType": "resumable", "part": ",".join(body), "notifySubscribers": notify},
            json=body,
            headers={
                "X-Upload-Content-Length": str(context.clip.size),
                "X-Upload-Content-Type": context.clip.content_type,
            },
        )
        if error := self._api.error(response):
            if isinstance(error, QuotaSpent):
                self.http.exhaust(window)
            raise error
        address = response.headers.get("Location", "")
        if response.status != 200 or not address.startswith(("https://", "http://")):
            raise Unavailable(f"ошибка {response.status}, не похоже на ответ YouTube")
        return {"url": address, "at": clock.now().isoformat()}

    def _session(self, context: PublishContext, started: Started) -> Session:
        return Session(started["url"], context, self._api, self.http, self.config["YOUTUBE_API_URL"])

    def _upload(
        self, context: PublishContext, started: Started, is_new: bool, *, begin_commit: Callable[..., None]
    ) -> Receipt:
        session, stored = self._session(context, started), 0
        try:
            if not is_new:
                answer = session.ask()
                if not isinstance(answer, Incomplete):
                    return self._receipt(answer["id"])
                stored = answer.stored
            return self._receipt(session.send(stored, begin_commit)["id"])
        except SessionGone as gone:
            if gone.may_be_done and (found := self._search_surely(context, started)):
                return found
            raise Stale("youtube_session", gone.detail) from None

    def _find(self, context: PublishContext, started: Started, is_new: bool) -> Receipt | NotPublished | Unknown:
        """The session tells; where it has expired, the list of the channel's uploads."""
        try:
            answer = self._session(context, started).ask()
        except SessionGone:
            return self._search(context, started, otherwise=Unknown()) or NotPublished()
        except Refused as refused:  # this says nothing of the bytes
            raise Unavailable(refused.detail) from None
        return NotPublished() if isinstance(answer, Incomplete) else self._receipt(answer["id"])

    def _search(
        self, context: PublishContext, started: Started, otherwise: Unknown | None = None
    ) -> Receipt | Unknown | None:
        """The video with these texts that has appeared since the session began; `otherwise` where no list is shown."""
        since = datetime.fromisoformat(started["at"]) - _CLOCKS_DIFFER
        try:
            [channel, *_] = self._api.list("channels", context.token, part="contentDetails", mine="true") or [{}]
            playlist = ((channel.get("contentDetails") or {}).get("relatedPlaylists") or {}).get("uploads")
            if not playlist:
                return otherwise
            newest = {"part": "snippet", "playlistId": playlist, "maxResults": IDS_PER_CALL}
            items = self._api.list("playlistItems", context.token, **newest)
        except Refused:
            return otherwise
        for item in items:
            snippet = item.get("snippet") or {}
            number = (snippet.get("resourceId") or {}).get("videoId")
            texts = [" ".join(str(snippet.get(name, "")).split()) for name in ("title", "description")]
            ours = [" ".join(text.split()) for text in (context.title, context.description)]
            if number and texts == ours and _appeared(snippet) >= since:
                return self._receipt(number)
        return None

    def _search_surely(self, context: PublishContext, started: Started) -> Receipt | None:
        """What keeps the list from being read leaves it open whether the video is there."""
        try:
            return self._search(context, started)
        except PlatformError as error:
            raise Unavailable(error.detail) from None

    def _processed(self, context: PublishContext, video_id: str) -> str | None:
        """The privacy that the video has, once it is processed; empty where that cannot be asked any more today."""
        try:
            videos = self._api.list("videos", context.token, part="status,processingDetails", id=video_id)
        except QuotaSpent:
            return ""
        except Refused as refused:  # this says nothing of the video
            raise Unavailable(refused.detail) from None
        if not videos:
            if context.age("upload") > _UNSEEN_SECONDS:
                raise Rejected("youtube_gone")
            return None
        status, processing = videos[0].get("status") or {}, videos[0].get("processingDetails") or {}
        state = status.get("uploadStatus")
        if state == "rejected":
            reason = str(status.get("rejectionReason") or "")
            raise Rejected(REJECTIONS.get(reason, "youtube_rejected"), reason)
        if state == "failed":
            raise Rejected("youtube_failed", str(status.get("failureReason") or ""))
        if state == "deleted":
            raise Rejected("youtube_gone")
        encoding = processing.get("processingStatus")
        if encoding == "processing" or (state != "processed" and encoding != "succeeded"):
            return None
        return str(status.get("privacyStatus") or context.options["privacy"])

    def _set_cover(self, context: PublishContext, video_id: str) -> str | None:
        """Only now: before the video is processed, YouTube takes a cover and ignores it. Returns a remark."""
        poster = context.clip.poster()
        if poster is None:
            return ""
        try:
            headers = {"Content-Type": "image/jpeg"}
            where = {"videoId": video_id, "uploadType": "media"}
            response = self._api.upload("thumbnails/set", context.token, params=where, data=poster, headers=headers)
            self._api.payload(response)
        except (Refused, Reconnect, QuotaSpent) as refusal:
            return "youtube_cover_right" if refusal.reason == "youtube_forbidden" else "youtube_cover"
        except (Unavailable, RateLimited):
            if context.age("processed") > _COVER_SECONDS:
                return "youtube_cover"
            raise
        return ""

    @staticmethod
    def _remark(asked: str, privacy: str, cover: str) -> str | None:
        if privacy != asked:
            return f"youtube_became_{privacy}" if privacy in choices.PRIVACY.choices else None
        return cover or (f"youtube_is_{privacy}" if privacy != "public" else None)

    def _receipt(self, video_id: str) -> Receipt:
        """The address of Shorts opens any video."""
        return Receipt(video_id, f"{self.config['YOUTUBE_WEB_URL']}/shorts/{video_id}")

    # Counting

    @classmethod
    def counting(cls, config: Mapping[str, Any]) -> Counting:
        return Counting(
            never={"shares": "YouTube не сообщает сайтам, сколько раз видео переслали."},
            unknown="YouTube не показал это число: лайки могут быть скрыты, а видео — закрыто или удалено.",
            per_call=IDS_PER_CALL,
        )

    def stats(self, token: Token, account: Account, ids: Sequence[str]) -> Mapping[str, Stats]:
        try:
            videos = self._api.list("videos", token, part="statistics", id=",".join(ids))
        except QuotaSpent as spent:
            raise RateLimited(spent.until, spent.detail) from None
        counts = {str(video.get("id")): video.get("statistics") or {} for video in videos}
        return {
            number: Stats.of(views=_count(given.get("viewCount")), likes=_count(given.get("likeCount")))
            for number, given in counts.items()
        }


def _count(text: Any) -> int | None:
    """Numbers are strings."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19 else None


def _appeared(snippet: Mapping[str, Any]) -> datetime:
    try:
        at = datetime.fromisoformat(str(snippet.get("publishedAt")))
    except ValueError:
        at = datetime.min
    return at if at.tzinfo else at.replace(tzinfo=clock.now().tzinfo)
