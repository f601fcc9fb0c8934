"""VK Клипы.

There are two ways to publish. The clips route (`shortVideo.*`) shows nothing before `shortVideo.publish`. A token that
lacks it (error 3) takes the video route: there the uploaded video may be visible at once, so the upload is a commit
too.

On both, `video.get` shows the owner an item before anything is published: its existence proves nothing (decision 0011).
A clip is proved by the post on the wall; without one only VK's own response proves it, and the user.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from app.platforms.base import Account, Counting, Limits, NotPublished, PublishContext, Receipt, Stats, Token, Unknown
from app.platforms.errors import NotTaken, PlatformError, Refused, Unavailable
from app.platforms.http.client import Window
from app.platforms.http.timeouts import LONG_RESPONSE_SECONDS
from app.platforms.vk import choices, wall
from app.platforms.vk.api import RouteUnknown, UploadLost
from app.platforms.vk.auth import VkAccess

# https://dev.vk.com/ru/method/video.save, for all users of an app together
SAVES_PER_APP = (5000, 24 * 3600.0)

Video = Mapping[str, Any]  # what `_create` returns


class VK(VkAccess):
    key = "vk"
    name = "VK"
    other_names = ("вк", "вконтакте", "vk клипы", "вк клипы")
    options = choices.OPTIONS
    reasons = {
        **VkAccess.reasons,
        "vk_rights": (
            "VK не разрешает публиковать с этим доступом",
            "Нужны права на видео и стену (в сообществе — редактора). Подключите аккаунт заново с ними.",
        ),
        "vk_user_wanted": (
            "VK просит подтвердить, что это вы",
            "Откройте vk.com под этим аккаунтом, пройдите проверку и повторите.",
        ),
        "vk_comments_open": (
            "VK не отключил комментарии у записи на стене",
            "Под самим клипом их нет. У записи отключите их на vk.com: «…» → «Отключить комментарии».",
        ),
    }

    steps = {
        "create": "создание черновика",
        "upload": "загрузка видео",
        "encoded": "обработка видео",
        "describe": "название и описание",
        "sent": "отправка на публикацию",
        "publish": "публикация в VK Клипах",
        "post": "запись на стене",
        "confirmed": "проверка, что клип виден",
        "comments": "отключение комментариев у записи",
    }

    @classmethod
    def limits(cls, config: Mapping[str, Any]) -> Limits:
        return Limits(
            max_title=128,  # this and the next: https://dev.vk.com/ru/method/video.save
            max_text=5000,
            max_seconds=180,  # one public client; VK names no limit
            vertical_or_square=True,
            marks=(choices.MENTIONS,),
        )

    # Publishing

    def publish(self, context: PublishContext) -> Receipt:
        video = context.step("create", self._create, context)
        try:
            if video["route"] == "clip":
                return self._by_clips_route(context, video)
            return self._by_video_route(context, video)
        except UploadLost as lost:
            try:
                self.discard(context)
            except Refused:  # no other video may be begun beside one that may be visible
                if video["route"] == "video" and self._item(context, video):
                    raise
            context.drop("create", "upload")
            raise NotTaken(lost.detail) from None

    def _create(self, context: PublishContext) -> dict[str, Any]:
        """Returns both ids, before any byte is sent."""
        group = {"group_id": context.account.facts["group_id"]} if "group_id" in context.account.facts else {}
        try:
            made = self._api.method(
                "shortVideo.create",
                context.token.access,
                file_size=context.clip.size,
                description=self.text(context.title, context.description),
                wallpost=0,
                **group,
            )
            route = "clip"
        except RouteUnknown:
            if context.token.refresh:  # given to our app; an own token has limits of its own
                self.http.pace(Window(f"vk:app:{self.config['VK_CLIENT_ID']}:save", *SAVES_PER_APP))
            texts = {"name": context.title, "description": context.description}
            comments = choices.comments_of_video(context.options, of_community=bool(group))
            made = self._api.method("video.save", context.token.access, **texts, **comments, wallpost=0, **group)
            route = "video"
        return {"route": route, **{name: made[name] for name in ("owner_id", "video_id", "upload_url")}}

    def _by_clips_route(self, context: PublishContext, video: Video) -> Receipt:
        uploaded = context.step("upload", self._api.upload, context, video["upload_url"], "file")
        context.wait("encoded", self._encoded, context, video, uploaded["video_hash"], every=5, until=3600)
        context.step("describe", self._describe, context, video)
        again = context.answer("sent") is not None
        if not context.options[choices.WALL_POST]:  # no post will tell what came of it
            context.step("sent", lambda: True)
        receipt = context.commit("publish", self._publish_clip, context, video, again, find=self._find_clip)
        context.wait("confirmed", self._confirmed, context, video, every=10, until=3600)
        if context.options[choices.WALL_POST] and context.options[choices.NO_COMMENTS]:
            remark = context.step("comments", wall.close_comments, self._api, context, video)
            return replace(receipt, remark=remark or None)
        return receipt

    def _by_video_route(self, context: PublishContext, video: Video) -> Receipt:
        receipt = context.commit("upload", self._upload_video, context, video, find=self._find_upload)
        if context.options[choices.WALL_POST]:
            context.commit("post", self._post, context, video, find=self._find_post)
        context.wait("confirmed", self._confirmed, context, video, every=10, until=3600)
        return receipt

    def _encoded(self, context: PublishContext, video: Video, video_hash: str) -> bool | None:
        response = self._api.method("shortVideo.encodeProgress", context.token.access, hash=video_hash, **_ids(video))
        return True if response.get("is_ready") else None

    def _describe(self, context: PublishContext, video: Video) -> None:
        self._api.method(
            "shortVideo.edit",
            context.token.access,
            description=self.text(context.title, context.description),
            privacy_view="all",
            **choices.comments_of_clip(context.options),
            **_ids(video),
        )

    def _publish_clip(
        self, context: PublishContext, video: Video, again: bool, *, begin_commit: Callable[[], None]
    ) -> Receipt:
        how = {"license_agree": 1, "publish_date": 0, "wallpost": int(context.options[choices.WALL_POST])}
        begin_commit()
        try:
            response = self._api.method("shortVideo.publish", context.token.access, **how, **_ids(video))
        except PlatformError as error:
            if not again and error.definitely_not_applied and context.answer("sent"):
                context.drop("sent")
            if not isinstance(error, Refused):
                raise
            with suppress(PlatformError):  # where the wall cannot be read, the refusal stands
                if isinstance(wall.find_post(self._api, context, video), Mapping):
                    return _receipt("clip", video)  # published by an earlier try
            if again and error.reason == "refused":
                # An earlier try may have published it, and VK refuses to do so a second time.
                raise Unavailable(error.detail) from None
            raise
        published = response.get("video") or {}
        if (published.get("owner_id"), published.get("id")) != (video["owner_id"], video["video_id"]):
            raise Unavailable("в ответе VK нет номера клипа")
        return _receipt("clip", video, published.get("direct_url"))

    def _upload_video(self, context: PublishContext, video: Video, *, begin_commit: Callable[[], None]) -> Receipt:
        uploaded = self._api.upload(
            context, video["upload_url"], "video_file", lambda: begin_commit(LONG_RESPONSE_SECONDS)
        )
        return _receipt("video", video, uploaded.get("direct_link"))

    def _post(self, context: PublishContext, video: Video, *, begin_commit: Callable[[], None]) -> Receipt:
        community = {"from_group": 1} if "group_id" in context.account.facts else {}
        begin_commit()
        response = self._api.method(
            "wall.post",
            context.token.access,
            owner_id=video["owner_id"],
            message=self.text(context.title, context.description),
            attachments=f"video{_name(video)}",
            # Meant to stop a repeated post: the same on every try with this video.
            guid=f"vezde-{context.publication_id}-{video['video_id']}",
            **choices.comments_of_post(context.options),
            **community,
        )
        if not response.get("post_id"):
            raise Unavailable("в ответе VK нет номера записи")
        return _receipt("video", video)

    # Finding

    def _find_clip(
        self, context: PublishContext, video: Video, _again: bool = False
    ) -> Receipt | NotPublished | Unknown:
        """The post that `wallpost=1` makes proves the publication. An item alone may be the draft."""
        if isinstance(wall.find_post(self._api, context, video), Mapping):
            return _receipt("clip", video)
        return Unknown() if self._item(context, video) else NotPublished()

    def _find_upload(self, context: PublishContext, video: Video) -> Receipt | NotPublished:
        """`video.save` has made the item: its file has arrived once the length or the files are known.

        In doubt the upload is repeated for the same id, which cannot make a second video: VK takes the file in the
        place of the first, or refuses it, and then the video is deleted before another is begun.
        """
        item = self._item(context, video)
        return _receipt("video", video) if item and (item.get("duration") or item.get("files")) else NotPublished()

    def _find_post(self, context: PublishContext, video: Video) -> Receipt | NotPublished | Unknown:
        post = wall.find_post(self._api, context, video)
        return _receipt("video", video) if isinstance(post, Mapping) else post

    def _confirmed(self, context: PublishContext, video: Video) -> bool | None:
        """The receipt proves the publication; this waits until VK has processed it."""
        item = self._item(context, video)
        return True if item and not (item.get("processing") or item.get("converting")) else None

    def _item(self, context: PublishContext, video: Video) -> Mapping[str, Any] | None:
        items = self._api.items("video.get", context.token.access, videos=_name(video))
        return next(iter(items), None)

    def discard(self, context: PublishContext) -> None:
        video = context.answer("create")
        if video:
            self._api.method("video.delete", context.token.access, **_ids(video))

    # Counting

    @classmethod
    def counting(cls, config: Mapping[str, Any]) -> Counting:
        # `per_call`: https://dev.vk.com/ru/method/video.get
        return Counting(never={}, unknown="VK не показал это число.", per_call=200)

    def stats(self, token: Token, account: Account, ids: Sequence[str]) -> Mapping[str, Stats]:
        # `count` is 100 by default.
        response = self._api.method("video.get", token.access, videos=",".join(ids), count=len(ids))
        return {
            f"{item['owner_id']}_{item['id']}": Stats.of(
                views=item.get("views"),
                likes=(item.get("likes") or {}).get("count"),
                shares=(item.get("reposts") or {}).get("count"),
            )
            for item in response.get("items") or []
        }


def _ids(video: Video) -> dict[str, int]:
    return {"owner_id": video["owner_id"], "video_id": video["video_id"]}


def _name(video: Video) -> str:
    return f"{video['owner_id']}_{video['video_id']}"


def _receipt(kind: str, video: Video, url: str | None = None) -> Receipt:
    return Receipt.linked(_name(video), url, f"https://vk.com/{kind}{_name(video)}")
