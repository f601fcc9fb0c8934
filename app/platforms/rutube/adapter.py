"""Rutube, by its token API. The vendor's own client is archived, and still reported to work.

Rutube downloads the file from a link of ours. A video may become public as soon as it is processed, so it is created
hidden, with a marker by which it can be found after a lost response, and revealed by one PATCH: the commit.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from typing import Any, NoReturn
from urllib.parse import urlsplit

from app.config import Setting, web_address
from app.platforms.base import (
    Account,
    Adapter,
    Counting,
    FormField,
    GuideStep,
    Limits,
    NotPublished,
    PublishContext,
    Receipt,
    Stats,
    Token,
    Unknown,
)
from app.platforms.errors import OwnOutage, RateLimited, Reconnect, Refused, Rejected, Stale, Unavailable
from app.platforms.http.body import Multipart
from app.platforms.http.client import Http, Window
from app.platforms.options import AccountOptions
from app.platforms.rutube import choices, video_state
from app.platforms.rutube.api import MINE, PER_TOKEN, Denied, RutubeApi

# How many of a channel's newest videos are searched for one whose creation got no response.
SEARCHED = 100
_PROCESSING_SECONDS = 3 * 3600
# For so long a cover is tried again.
_COVER_SECONDS = 300
# A video that Rutube does not know for so long after its creation has been deleted.
_UNSEEN_SECONDS = 600
_TOKEN = re.compile(r"[!-~]{8,500}")


class Rutube(Adapter):
    key = "rutube"
    name = "Rutube"
    other_names = ("рутуб", "рутьюб")
    options = choices.OPTIONS
    asks_options = True
    settings = (Setting("RUTUBE_API_URL", "https://rutube.ru", "API Rutube", web_address, demo="{sandbox}/rutube"),)
    form = (
        FormField(
            "token",
            "Токен",
            "Набор букв и цифр, без кавычек. Пароль от Rutube нам не нужен.",
            secret=True,
        ),
    )
    reasons = {
        "rutube_token": ("Rutube не принял токен", "Проверьте, что он скопирован целиком, или получите новый."),
        "rutube_failed": ("Rutube не смог обработать клип", "Проверьте, что файл открывается, и повторите."),
        "rutube_denied": (
            "Rutube не разрешил это действие с видео",
            "Проверьте, не заблокировано ли видео или канал на Rutube, и повторите.",
        ),
        "rutube_gone": ("Видео на Rutube удалено", "Повторите, чтобы загрузить его снова."),
        "rutube_cover": ("Rutube не принял обложку", "Поставьте её сами, в студии Rutube."),
        "rutube_adult": ("Rutube не отметил опубликованный клип «18+»", "Поставьте отметку сами, в студии Rutube."),
    }

    steps = {
        "create": "создание скрытого видео",
        "processed": "скачивание и обработка на Rutube",
        "reveal": "открытие видео для всех",
        "cover": "обложка",
        "confirmed": "проверка, что клип виден",
    }

    @classmethod
    def guide(cls, config: Mapping[str, Any], known: Mapping[str, Any]) -> Sequence[GuideStep]:
        address = f"{config['RUTUBE_API_URL']}/api/accounts/token_auth/"
        return (
            GuideStep("На компьютере откройте «Терминал» (в Windows — «Командная строка»)."),
            GuideStep(
                "Вставьте команду, замените ПОЧТА и ПАРОЛЬ на те, с которыми вы входите в Rutube, и нажмите Enter. "
                "Пароль уйдёт только в Rutube.",
                command=f'curl --data-urlencode "username=ПОЧТА" --data-urlencode "password=ПАРОЛЬ" {address}',
            ),
            GuideStep("В ответе скопируйте то, что стоит в кавычках после слова token, и вставьте сюда."),
            GuideStep("Входите в Rutube без пароля? Сначала задайте его там в настройках профиля."),
        )

    @classmethod
    def limits(cls, config: Mapping[str, Any]) -> Limits:
        return Limits(
            max_bytes=25 * 10**9,
            max_seconds=5 * 3600,
            max_title=100,
            max_description=5000,
            containers=frozenset({"mp4"}),
            video_codecs=frozenset({"h264"}),
            audio_codecs=frozenset({"aac"}),
        )

    @classmethod
    def unready(cls, config: Mapping[str, Any]) -> str:
        """Rutube fetches the clip: our address must be https on a name, or one that is allowed by hand."""
        address = urlsplit(config["PUBLIC_URL"])
        if address.netloc in config["LOCAL_HOSTS"]:
            return ""
        host = address.hostname or ""
        named = "." in host and not host.replace(".", "").isdigit() and ":" not in host
        if address.scheme == "https" and named:
            return ""
        return "Rutube сам скачивает клип, а этот сайт ему не виден. Скажите об этом администратору сервиса."

    def __init__(self, config: Mapping[str, Any], http: Http) -> None:
        super().__init__(config, http)
        self._api = RutubeApi(config["RUTUBE_API_URL"], http)

    # Connecting

    def connect(self, fields: Mapping[str, str]) -> tuple[list[Account], Token]:
        token = fields["token"].strip()
        if not _TOKEN.fullmatch(token):
            raise Refused("rutube_token", field="token")
        try:
            videos = self._api.call("GET", MINE, token, params={"limit": 1})
        except Reconnect as error:
            raise Refused("rutube_token", error.detail, field="token") from None
        author = next((video.get("author") or {} for video in videos.get("results", [])), {})
        nameless = f"token-{sha256(token.encode()).hexdigest()[:16]}"
        if author.get("id"):
            account = Account(
                id=str(author["id"]),
                previous_id=nameless,
                name=author.get("name") or "Rutube",
                url=f"https://rutube.ru/channel/{author['id']}/",
                avatar_url=author.get("avatar_url"),
            )
        else:
            # Without a video, the channel's id is unknown; the same token is the same channel.
            account = Account(id=nameless, name="Канал Rutube")
        return [account], Token(access=token)

    def ask_options(self, token: Token, account: Account) -> AccountOptions:
        return choices.account_options(self._api.call("GET", "/api/video/category/", token.access, of=(list, dict)))

    # Publishing

    def publish(self, context: PublishContext) -> Receipt:
        video_id = context.step("create", self._create, context)
        context.wait("processed", self._processed, context, video_id, every=5, until=_PROCESSING_SECONDS)
        receipt = context.commit("reveal", self._reveal, context, video_id, find=self._find)
        cover = context.wait("cover", self._set_cover, context, video_id, every=20, until=_PROCESSING_SECONDS)
        remark = context.wait("confirmed", self._confirmed, context, video_id, every=5, until=600)
        return replace(receipt, remark=remark or cover or None)

    def _create(self, context: PublishContext) -> str:
        """Hidden; the id comes back at once. Searched for first: the response of an earlier try may have been lost."""
        context.clip.open().close()  # raises what is wrong with the file; Rutube could only report it as unavailable
        for video in self._newest(context.token.access):
            if video_state.has_marker(context, video) and not video_state.is_gone(video):
                return str(video["id"])
        made = self._api.call(
            "POST",
            "/api/video/",
            context.token.access,
            json={
                "url": context.link(),
                "title": context.title,
                "description": video_state.marker(context),
                "is_hidden": 1,
                **choices.metadata(context.options, "category_id"),
            },
        )
        if not made.get("video_id"):
            raise Unavailable("в ответе Rutube нет номера видео")
        return str(made["video_id"])

    def _newest(self, token: str) -> Iterator[Mapping[str, Any]]:
        """Page by page: how many Rutube puts on one is its own choice."""
        page, seen, more = 1, 0, True
        while more and seen < SEARCHED:
            response = self._api.call("GET", MINE, token, params={"limit": SEARCHED, "page": page})
            videos = response.get("results")
            if not isinstance(videos, list):
                raise Unavailable("в ответе Rutube нет списка видео")
            yield from videos
            page, seen, more = page + 1, seen + len(videos), bool(videos) and response.get("has_next")

    def _processed(self, context: PublishContext, video_id: str) -> bool | None:
        video = self._video(context, video_id)
        if video is None:
            if context.age("create") > _UNSEEN_SECONDS:
                raise Stale("rutube_gone")
            return None
        if video_state.is_gone(video):
            self._judge(context, video_state.reason(video))
        if video.get("is_deleted"):
            return None
        return True if video.get("status") == "ready" or video_state.reason(video) == "moderation" else None

    def _judge(self, context: PublishContext, reason: str) -> NoReturn:
        """Final only where Rutube has fetched the whole file. Nothing is visible: it can begin again."""
        if context.is_fetched():
            raise Rejected("rutube_failed", reason)
        context.clip.open().close()
        try:
            status = self.http.request("HEAD", context.link()).status
        except Unavailable as error:
            raise OwnOutage("fetch_away", error.detail) from None
        except Refused:  # no worker may call our address: nothing is known
            status = 0
        if status == 404 or status >= 500:
            raise OwnOutage("fetch_away", f"ошибка {status}")
        raise Stale("rutube_failed", reason)

    def _reveal(self, context: PublishContext, video_id: str, *, begin_commit: Callable[[], None]) -> Receipt:
        begin_commit()
        video = self._api.call(
            "PATCH",
            f"/api/video/{video_id}/",
            context.token.access,
            missing_is_none=True,
            json={
                "title": context.title,
                "description": context.description,
                "is_hidden": 0,
                **choices.metadata(context.options, "category"),
            },
        )
        if video is None:  # deleted since it was processed
            raise Stale("rutube_gone")
        return self._receipt(context, video_id, video)

    def _set_cover(self, context: PublishContext, video_id: str) -> str | None:
        """One that was chosen: otherwise Rutube takes a frame itself. Returns a remark, which may be empty."""
        cover = context.clip.poster() if context.clip.has_chosen_cover else None
        if cover is None:
            return ""
        body = Multipart({}, "file", "cover.jpg", "image/jpeg", BytesIO(cover), len(cover))
        request = {"data": body.read(), "content_type": body.headers["Content-Type"]}
        try:
            self._api.call("POST", f"/api/video/{video_id}/thumbnail/", context.token.access, **request)
        except (Refused, Reconnect, Denied):
            return "rutube_cover"
        except (Unavailable, RateLimited):
            if context.age("reveal") > _COVER_SECONDS:
                return "rutube_cover"
            raise
        return ""

    def _find(self, context: PublishContext, video_id: str) -> Receipt | NotPublished | Unknown:
        """The PATCH sets all fields at once: while one of them is the old one, it was not done."""
        video = self._video(context, video_id)
        if (
            video is None
            or video.get("is_hidden")
            or video_state.has_marker(context, video)
            or video_state.is_gone(video)
        ):
            return NotPublished()
        return self._receipt(context, video_id, video) if video_state.is_open(video) else Unknown()

    def _confirmed(self, context: PublishContext, video_id: str) -> str | None:
        """A remark, which may be empty."""
        video = self._video(context, video_id)
        if video and video_state.is_gone(video):
            raise Rejected("rutube_failed", video_state.reason(video))
        if not video or not video_state.is_open(video) or video_state.has_marker(context, video):
            return None
        return choices.remark(context.options, video) or ""

    def _video(self, context: PublishContext, video_id: str) -> Mapping[str, Any] | None:
        """None right after creation, when Rutube returns 404 for a while."""
        return self._api.call("GET", f"/api/video/{video_id}/", context.token.access, missing_is_none=True)

    def discard(self, context: PublishContext) -> None:
        video_id = context.answer("create")
        if video_id:
            self._api.call("DELETE", f"/api/video/{video_id}/", context.token.access, missing_is_none=True)

    @staticmethod
    def _receipt(context: PublishContext, video_id: str, video: Mapping[str, Any]) -> Receipt:
        kind = "shorts" if context.clip.height > context.clip.width else "video"
        return Receipt.linked(video_id, video.get("video_url"), f"https://rutube.ru/{kind}/{video_id}/")

    # Counting

    @classmethod
    def counting(cls, config: Mapping[str, Any]) -> Counting:
        return Counting(never={"shares": "Rutube не считает репосты."}, unknown="Rutube не показал это число.")

    def stats(self, token: Token, account: Account, ids: Sequence[str]) -> Mapping[str, Stats]:
        """Two calls a video: its own, and the public count of votes."""
        found: dict[str, Stats] = {}
        for video_id in ids:
            try:
                video = self._api.call("GET", f"/api/video/{video_id}/", token.access, missing_is_none=True)
            except Denied:  # only this video's numbers are hidden
                continue
            if video is not None:
                found[video_id] = Stats.of(views=video.get("hits"), likes=self._likes(account, video_id))
        return found

    def _likes(self, account: Account, video_id: str) -> Any:
        self.http.pace(Window(f"rutube:votes:{account.id}", *PER_TOKEN))
        try:
            votes = self._api.public("GET", f"/api/numerator/video/{video_id}/vote", missing_is_none=True)
        except Denied:
            return None
        return votes.get("positive") if votes else None
