"""TikTok, by the Content Posting API: https://developers.tiktok.com/doc/content-posting-api-get-started

Direct: the clip is posted as soon as its last byte has come, so that the upload is the commit; TikTok can be asked what
became of it. Inbox: the clip comes to the creator's TikTok app, where they post it themselves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.platforms.base import Account, Counting, Limits, NotPublished, PublishContext, Receipt, Stats, Token
from app.platforms.errors import Reconnect, Refused, Rejected, Unavailable, Undone
from app.platforms.options import AccountOptions, Notice, Option
from app.platforms.text_units import TextUnit
from app.platforms.tiktok import choices
from app.platforms.tiktok.api import IDS_PER_CALL, INBOX_INIT, INIT, post_id
from app.platforms.tiktok.auth import DIRECT, INBOX, TikTokAccess, scopes
from app.platforms.tiktok.reasons import FAILURES, OF_THE_CREATOR, REASONS, RETRYABLE, reason_of
from app.platforms.tiktok.upload import Chunks, Upload, stored_bytes

EVERYONE = "PUBLIC_TO_EVERYONE"
MAX_CAPTION = 2200  # UTF-16 units
_MB = 1_000_000
_PROCESSING_SECONDS = 2 * 3600
_COVER = "video_cover_timestamp_ms"
# Moderation takes less than a minute, or hours: for so long the link is waited for. Later, `stats` brings it.
_LINK_SECONDS = 90
# Begins the id of a publication whose post has no number yet: the publish_id follows.
_UNNUMBERED = "publish:"
_INBOX_HOW = (
    "Клип уже во «Входящих» TikTok: откройте уведомление и закончите в приложении TikTok. Подпись ждёт на карточке "
    "клипа; когда клип выйдет, вставьте там ссылку на него."
)

Started = Mapping[str, Any]  # what `_start` returns
Creator = Mapping[str, Any]  # what `_ask_creator` returns


class TikTok(TikTokAccess):
    key = "tiktok"
    name = "TikTok"
    other_names = ("тикток", "тик ток", "tik tok")
    options = choices.OPTIONS
    asks_options = True
    asks_options_each_time = True
    reasons = {**TikTokAccess.reasons, **REASONS}
    steps = {
        "creator": "настройки автора",
        "start": "подпись и настройки",
        "upload": "загрузка видео",
        "processed": "обработка видео",
        "moderated": "проверка клипа",
        "link": "ссылка на клип",
    }

    @classmethod
    def mode(cls, config: Mapping[str, Any]) -> str:
        if config["TIKTOK_MODE"] == DIRECT:
            return "Публикуется само."
        return (
            "С вашей помощью: TikTok ещё не проверил это приложение, поэтому клип приходит во «Входящие», и вы "
            "заканчиваете в приложении TikTok. Неопубликованных там бывает не больше пяти за сутки."
        )

    @classmethod
    def limits(cls, config: Mapping[str, Any]) -> Limits:
        return Limits(  # https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide
            max_bytes=4_000 * _MB,
            min_seconds=3,
            max_seconds=600,
            max_text=MAX_CAPTION,
            unit=TextUnit.UTF16,
            containers=frozenset({"mp4", "mov", "webm"}),
            video_codecs=frozenset({"h264", "hevc", "vp8", "vp9"}),
            min_fps=23,
            max_fps=60,
            min_side=360,
            max_side=4096,
        )

    # Options

    @classmethod
    def offered_options(cls, config: Mapping[str, Any]) -> Sequence[Option]:
        """In the inbox's way the creator chooses in the app."""
        return cls.options if config["TIKTOK_MODE"] == DIRECT else ()

    @classmethod
    def notices(cls, config: Mapping[str, Any]) -> Sequence[Notice]:
        return choices.NOTICES if config["TIKTOK_MODE"] == DIRECT else ()

    @classmethod
    def check_options(cls, values: Mapping[str, Any]) -> None:
        if values:  # in the inbox's way none is offered
            choices.check(values)

    def ask_options(self, token: Token, account: Account) -> AccountOptions:
        try:
            return choices.account_options(self._api.creator(token))
        except Refused as refused:
            if refused.reason not in OF_THE_CREATOR:
                raise
            return AccountOptions(refusal=refused.reason)

    # Publishing

    def publish(self, context: PublishContext) -> Receipt:
        direct = self.config["TIKTOK_MODE"] == DIRECT
        is_new = context.answer("start") is None
        creator = context.step("creator", self._ask_creator, context) if direct else {"url": context.account.url}
        started = context.step("start", self._start, context, creator, direct)
        receipt = context.commit("upload", self._upload, context, creator, started, is_new, find=self._find)
        done = context.wait("processed", self._processed, context, started["id"], every=20, until=_PROCESSING_SECONDS)
        if done["state"] == INBOX:
            text = self.text(context.title, context.description)
            context.ask_user(text, self.config["TIKTOK_WEB_URL"], "Открыть TikTok", how=_INBOX_HOW)
        published = self._with_link(context, creator, started, receipt, done["id"])
        lost_cover = "tiktok_cover" if started.get("refused_cover") else None
        return replace(published, remark=published.remark or lost_cover)

    def _ask_creator(self, context: PublishContext) -> Creator:
        """What may have changed since the publication was planned. Before a post TikTok wants it to be asked."""
        info = self._api.creator(context.token)
        levels, longest = info.get("privacy_level_options"), info.get("max_video_post_duration_sec")
        if not isinstance(levels, list):
            raise Unavailable("TikTok не сказал, кому можно показать клип")
        if context.options["privacy"] not in levels:
            raise Refused("tiktok_privacy")
        if isinstance(longest, int | float) and 0 < longest < context.clip.duration:  # 0: as the window reads it
            raise Refused("tiktok_too_long", f"сейчас для этого аккаунта — до {longest} с; {_facts(context)}")
        username = str(info.get("creator_username") or "")
        return {
            "username": username,
            "url": self.profile(username) if username else context.account.url,
            "off": [name for name in ("comment", "duet", "stitch") if info.get(f"{name}_disabled")],
        }

    def _start(self, context: PublishContext, creator: Creator, direct: bool) -> dict[str, Any]:
        """Whatever comes of the address: without bytes it posts nothing, so that a lost answer does no harm."""
        context.clip.open().close()  # raises what is wrong with the file
        chunks = Chunks.of(context.clip.size)
        body: dict[str, Any] = {
            "source_info": {
                "source": "FILE_UPLOAD",
                "video_size": chunks.total,
                "chunk_size": chunks.size,
                "total_chunk_count": chunks.count,
            }
        }
        if direct:
            body["post_info"] = self._post_info(context, creator["off"])
        refused_cover = False
        try:
            data = self._api.call(INIT if direct else INBOX_INIT, context.token, body)
        except Refused as refusal:
            # Nothing was begun. Only for what may be the cover's fault: the same without.
            if refusal.reason != "refused" or _COVER not in body.get("post_info", {}):
                raise
            del body["post_info"][_COVER]
            data, refused_cover = self._api.call(INIT, context.token, body), True
        publish_id, url = data.get("publish_id"), data.get("upload_url")
        if not isinstance(publish_id, str) or not publish_id or not str(url).startswith(("https://", "http://")):
            raise Unavailable("в ответе TikTok нет адреса для загрузки")
        return {"id": publish_id, "url": url, "chunk": chunks.size, "refused_cover": refused_cover}

    def _post_info(self, context: PublishContext, off: Sequence[str]) -> dict[str, Any]:
        chosen = context.options
        allowed = {name: chosen[name] and name not in off for name in ("comment", "duet", "stitch")}
        return {
            "title": self.text(context.title, context.description),
            "privacy_level": chosen["privacy"],
            **{f"disable_{name}": not is_allowed for name, is_allowed in allowed.items()},
            "brand_organic_toggle": chosen["ad"] and chosen["own_brand"],
            "brand_content_toggle": chosen["ad"] and chosen["branded"],
            "is_aigc": chosen["synthetic"],
            **({} if context.clip.cover_ms is None else {_COVER: context.clip.cover_ms}),
        }

    def _upload(
        self,
        context: PublishContext,
        creator: Creator,
        started: Started,
        is_new: bool,
        *,
        begin_commit: Callable[..., None],
    ) -> Receipt:
        chunks = Chunks(context.clip.size, started["chunk"])
        upload = Upload(started["url"], chunks, context, self.http, lambda: self._look(context, started["id"]))
        upload.send(0 if is_new else upload.ask(otherwise=0), begin_commit)
        return self._accepted(creator, started)

    def _find(
        self, context: PublishContext, creator: Creator, started: Started, is_new: bool
    ) -> Receipt | NotPublished:
        """With its last byte TikTok goes on by itself: to a post, or to a failure that `_processed` tells."""
        status = self._status(context, started["id"])
        stored = stored_bytes(status, context.clip.size)
        if status.get("status") == "FAILED" or stored == context.clip.size:
            return self._accepted(creator, started)
        if stored is None:  # it will, once it is through with the clip
            raise Unavailable("TikTok не говорит, сколько байт у него есть")
        return NotPublished()

    @staticmethod
    def _accepted(creator: Creator, started: Started) -> Receipt:
        return Receipt(f"{_UNNUMBERED}{started['id']}", creator["url"])

    def _status(self, context: PublishContext, publish_id: str) -> Mapping[str, Any]:
        """What keeps it from being read says nothing of the clip."""
        try:
            return self._api.status(context.token, publish_id)
        except Refused as refused:
            raise Unavailable(refused.detail) from None

    def _look(self, context: PublishContext, publish_id: str) -> Mapping[str, Any]:
        """Raises what TikTok has against the clip."""
        status = self._status(context, publish_id)
        if status.get("status") != "FAILED":
            return status
        code = str(status.get("fail_reason") or "")
        if code in RETRYABLE:
            raise Undone("tiktok_internal", code)
        raise Rejected(reason_of(code, FAILURES, "tiktok_failed"), f"{code}; {_facts(context)}")

    def _processed(self, context: PublishContext, publish_id: str) -> dict[str, str] | None:
        status = self._look(context, publish_id)
        if status.get("status") == "SEND_TO_USER_INBOX":
            return {"state": INBOX, "id": ""}
        return {"state": DIRECT, "id": post_id(status)} if status.get("status") == "PUBLISH_COMPLETE" else None

    # The link

    def _with_link(
        self, context: PublishContext, creator: Creator, started: Started, receipt: Receipt, number: str
    ) -> Receipt:
        privacy = context.options["privacy"]
        if not number and privacy in (EVERYONE, ""):
            number = context.wait(
                "moderated", self._moderated, context, started["id"], every=20, until=_PROCESSING_SECONDS
            )
        only_you = "tiktok_only_you" if privacy == choices.SELF_ONLY else None
        if not number:
            unknown = "tiktok_no_link" if privacy in (EVERYONE, "") else "tiktok_not_for_all"
            return replace(receipt, remark=only_you or unknown)
        link = context.wait("link", self._link, context, number, every=20, until=_PROCESSING_SECONDS)
        otherwise = f"{creator['url'] or self.config['TIKTOK_WEB_URL']}/video/{number}"
        return replace(Receipt.linked(number, link, otherwise), remark=only_you)

    def _moderated(self, context: PublishContext, publish_id: str) -> str | None:
        if context.age("processed") > _LINK_SECONDS:
            return ""
        try:
            return self._number(context.token, publish_id) or None
        except Reconnect:  # the clip is posted, whatever may be read
            return ""

    def _link(self, context: PublishContext, number: str) -> str | None:
        if "video.list" not in scopes(self.config) or context.age("processed") > 2 * _LINK_SECONDS:
            return ""
        try:
            video = self._api.videos(context.token, [number], "id,share_url").get(number)
        except (Refused, Reconnect):  # the clip is posted, whatever may be read
            return ""
        return str(video.get("share_url") or "") if video else None

    # Counting

    @classmethod
    def counting(cls, config: Mapping[str, Any]) -> Counting:
        if "video.list" not in scopes(config):
            why = "Этой установке TikTok не дал права видеть клипы."
            return Counting(never={"views": why, "likes": why, "shares": why})
        return Counting(
            never={},
            unknown="TikTok не показал это число: клип ещё проверяется, виден не всем или удалён.",
            per_call=IDS_PER_CALL,
        )

    def stats(self, token: Token, account: Account, ids: Sequence[str]) -> Mapping[str, Stats]:
        """Of a clip that had no number when it was posted, it is asked for now: its link comes with it."""
        numbers = {given: self._number(token, given) if _is_unnumbered(given) else given for given in ids}
        known = [number for number in numbers.values() if number]
        fields = "id,share_url,view_count,like_count,comment_count,share_count"
        videos = self._api.videos(token, known, fields) if known else {}
        return {given: _stats(given, videos[number]) for given, number in numbers.items() if number in videos}

    def _number(self, token: Token, publish_id: str) -> str:
        try:
            return post_id(self._api.status(token, publish_id.removeprefix(_UNNUMBERED)))
        except Refused:  # TikTok forgets them
            return ""


def _is_unnumbered(given: str) -> bool:
    return given.startswith(_UNNUMBERED)


def _stats(given: str, video: Mapping[str, Any]) -> Stats:
    counts = {"views": "view_count", "likes": "like_count", "shares": "share_count"}
    seen = Stats.of(**{count: video.get(name) for count, name in counts.items()})
    if not _is_unnumbered(given) or not video.get("share_url"):
        return seen
    return replace(seen, receipt=Receipt(str(video["id"]), str(video["share_url"])))


def _facts(context: PublishContext) -> str:
    """What TikTok has looked at, beside its reason."""
    clip = context.clip
    seconds, megabytes = (f"{value:.1f}".replace(".", ",") for value in (clip.duration, clip.size / _MB))
    return f"клип {clip.width}×{clip.height}, {seconds} с, {megabytes} МБ, {clip.extension.strip('.').upper()}"
