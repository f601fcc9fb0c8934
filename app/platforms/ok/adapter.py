"""OK (Одноклассники): a video of a group, and a topic that shows it in the group's feed.

Both are points of no return. `video.update` makes the uploaded video visible among the group's videos: until then it is
called by the name of its file, so its title shows whether the update took effect. `mediatopic.post` is found by the
number of our video in the group's newest topics.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import structlog

from app.platforms.base import Account, Counting, Limits, NotPublished, PublishContext, Receipt, Stats, Token, Unknown
from app.platforms.errors import Refused, Unavailable
from app.platforms.ok.api import count_in, list_in
from app.platforms.ok.auth import OkAccess

log = structlog.get_logger(__name__)

_MAX_TITLE = 1000
# Found in one call of video.get; the vendor names no number.
IDS_PER_CALL = 50
TOPICS_PER_PAGE = 100
TOPIC_PAGES = 10
# OK dates topics by its own clock; ours may be wrong.
_CLOCKS_DIFFER = timedelta(days=1)

Video = Mapping[str, str]  # what `_create` returns


class OK(OkAccess):
    key = "ok"
    name = "OK"
    other_names = ("ок", "одноклассники", "ok.ru", "ок.ру")
    reasons = {
        **OkAccess.reasons,
        "ok_rights": (
            "OK не разрешает публиковать с этим доступом",
            "Проверьте, что вы администратор или редактор группы, и подключите её заново со всеми правами.",
        ),
        "ok_application": (
            "OK не узнаёт приложение сервиса",
            "Это настройка сервиса, а не клип: скажите его администратору, потом нажмите «Повторить».",
        ),
        "ok_signature": (
            "OK не принял подпись запроса",
            "Это наша ошибка или настройка сервиса, а не клип: скажите его администратору.",
        ),
        "ok_too_small": ("Файл слишком мал: OK принимает от 16 КБ", "Выберите другой клип."),
        "ok_format": ("OK не принимает файлы такого вида", "Сохраните клип в MP4 и загрузите заново."),
        "ok_upload": ("Адрес загрузки OK больше не действует", "Повторите публикацию."),
        "ok_without_topic": (
            "Видео в группе есть, но тему в её ленте OK не создал",
            "Откройте видео и поделитесь им в группе сами.",
        ),
    }
    steps = {
        "create": "место для видео",
        "upload": "загрузка видео",
        "show": "видео в группе",
        "post": "тема в группе",
    }

    @classmethod
    def limits(cls, config: Mapping[str, Any]) -> Limits:
        return Limits(
            min_bytes=16 << 10,  # this and the next: https://apiok.ru/en/dev/methods/rest/video/video.getUploadUrl
            max_bytes=1 << 30,
            max_title=_MAX_TITLE,  # this and the next: https://apiok.ru/dev/methods/rest/video/video.update
            max_description=4000,
        )

    # Publishing

    def publish(self, context: PublishContext) -> Receipt:
        video = context.step("create", self._create, context)
        context.step("upload", self._upload, context, video)
        shown = context.commit("show", self._show, context, video, find=self._find_shown)
        try:
            return context.commit("post", self._post, context, video, find=self._find_topic, last=True)
        except Refused as refused:  # the video stays: it is published, though not as it was meant
            log.warning("a video of OK has no topic", publication=context.publication_id, reason=refused.reason)
            return replace(shown, remark="ok_without_topic")

    def _create(self, context: PublishContext) -> dict[str, str]:
        """The video has its number before any byte is sent."""
        context.clip.open().close()  # raises what is wrong with the file
        made = self._api.call(
            "video.getUploadUrl",
            context.token.access,
            gid=context.account.id,
            file_name=f"vezde-{context.marker}{context.clip.extension}",
            file_size=str(context.clip.size),
            post_form="true",  # no news of the upload: the topic tells of it
        )
        number, url = (made.get("video_id"), made.get("upload_url")) if isinstance(made, dict) else (None, None)
        if not isinstance(number, int | str) or not number or not isinstance(url, str):
            raise Unavailable("в ответе OK нет адреса загрузки")
        return {"id": str(number), "url": url}

    def _upload(self, context: PublishContext, video: Video) -> None:
        self._api.upload(context, video["url"])

    def _show(self, context: PublishContext, video: Video, *, begin_commit: Callable[[], None]) -> Receipt:
        description = {"description": context.description} if context.description else {}
        begin_commit()
        self._api.call(
            "video.update",
            context.token.access,
            vid=video["id"],
            title=_title(context),
            privacy="PUBLIC",
            **description,
        )
        return self._video(video)

    def _find_shown(self, context: PublishContext, video: Video) -> Receipt | NotPublished:
        """An item is there from the first call on. Its title is that of its file until the update gives it ours.

        In doubt the update is repeated for the same video, which makes no other.
        """
        items = self._api.items(
            "video.get", "videos", context.token.access, vids=video["id"], fields="video.id,video.title"
        )
        titles = [_plain(item.get("title")) for item in items if str(item.get("id")) == video["id"]]
        return self._video(video) if _plain(_title(context)) in titles else NotPublished()

    def _post(self, context: PublishContext, video: Video, *, begin_commit: Callable[[], None]) -> Receipt:
        text = self.text(context.title, context.description)
        media: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
        media.append({"type": "movie", "list": [{"id": video["id"]}]})
        begin_commit()
        topic = self._api.call(
            "mediatopic.post",
            context.token.access,
            gid=context.account.id,
            type="GROUP_THEME",
            attachment=_json({"media": media}),
        )
        if type(topic) not in (int, str) or not str(topic).isascii() or not str(topic).isdigit():
            raise Unavailable("в ответе OK нет номера темы")
        if str(topic) == "0":  # https://apiok.ru/en/dev/sdk/js/ui.postMediatopic/
            raise Refused("ok_rights", "OK не создал тему")
        return self._topic(context, video, str(topic))

    def _find_topic(self, context: PublishContext, video: Video) -> Receipt | NotPublished | Unknown:
        """No other topic can hold our video."""
        try:
            for topic in self._topics(context):
                if topic is None:
                    return Unknown()
                if topic.get("id") and _holds(topic.get("media"), video["id"]):
                    return self._topic(context, video, str(topic["id"]))
        except Refused:  # to show the topics, not to have made one
            return Unknown()
        return NotPublished()

    def _topics(self, context: PublishContext) -> Iterator[Mapping[str, Any] | None]:
        """Those of the group since the publication began; None at the end where they were not all read."""
        since_ms = (context.started_at - _CLOCKS_DIFFER).timestamp() * 1000
        asked = {"gid": context.account.id, "count": str(TOPICS_PER_PAGE), "fields": "media_topic.*"}
        seen: set[str] = set()
        for _ in range(TOPIC_PAGES):
            payload = self._api.call("mediatopic.getTopics", context.token.access, **asked)
            topics = list_in(payload, "media_topics")
            yield from topics
            # The newest come first, except for those that are pinned.
            dates = [count_in(topic.get("created_ms")) for topic in topics if not topic.get("is_sticky")]
            if any(date is not None and date < since_ms for date in dates) or _is_last(payload, topics, seen):
                return
            seen |= {str(topic.get("id")) for topic in topics}
            anchor = payload.get("anchor") if isinstance(payload, dict) else None
            if not isinstance(anchor, str) or not anchor:
                break
            asked["anchor"] = anchor
        yield None

    def _video(self, video: Video) -> Receipt:
        return Receipt(video["id"], f"{self.config['OK_WEB_URL']}/video/{video['id']}")

    def _topic(self, context: PublishContext, video: Video, topic: str) -> Receipt:
        """The number stays the video's, by which it is counted; the link leads to the topic."""
        return Receipt(video["id"], f"{self.config['OK_WEB_URL']}/group/{context.account.id}/topic/{topic}")

    # Counting

    @classmethod
    def counting(cls, config: Mapping[str, Any]) -> Counting:
        return Counting(
            never={"shares": "OK не сообщает, сколько раз видео поделились."},
            unknown="OK не показал это число: видео могло быть закрыто или удалено.",
            note="«Классы» считаются у видео.",
            per_call=IDS_PER_CALL,
        )

    def stats(self, token: Token, account: Account, ids: Sequence[str]) -> Mapping[str, Stats]:
        asked = {"vids": ",".join(ids), "fields": "video.id,video.total_views,video.like_summary"}
        videos = self._api.items("video.get", "videos", token.access, **asked)
        return {
            str(video.get("id")): Stats.of(
                views=count_in(video.get("total_views")), likes=count_in((video.get("like_summary") or {}).get("count"))
            )
            for video in videos
        }


def _is_last(payload: Any, topics: Sequence[Mapping[str, Any]], seen: set[str]) -> bool:
    """Whether a page of topics is the last: where OK does not tell, one that is not full and leads to no other."""
    has_more = payload.get("has_more") if isinstance(payload, dict) else None
    if not topics or has_more is False:
        return has_more is not True
    leads_on = isinstance(payload, dict) and payload.get("anchor") and {str(one.get("id")) for one in topics} - seen
    return not has_more and not leads_on and len(topics) < TOPICS_PER_PAGE


def _title(context: PublishContext) -> str:
    """Never empty: it tells that the update took effect."""
    return context.title.strip() or next(iter(context.description.strip().splitlines()), "")[:_MAX_TITLE] or "Видео"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _plain(text: Any) -> str:
    """Titles may come back as HTML, and with other spaces."""
    return " ".join(unescape(str(text or "")).split())


def _holds(media: Any, number: str) -> bool:
    """Whether one of the values names the video: «123», 123 or a reference like «movie:123»."""
    if isinstance(media, dict):
        return any(_holds(value, number) for name, value in media.items() if name != "text")
    if isinstance(media, list):
        return any(_holds(value, number) for value in media)
    return type(media) in (int, str) and str(media).rpartition(":")[2] == number
