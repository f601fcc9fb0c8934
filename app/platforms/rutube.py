"""Rutube, by its token API. The vendor's own client is archived; it is still reported working.

Rutube downloads the file from a link of ours. A video may become public as soon as it is processed, so it is created
hidden, with a marker by which it can be found when the response was lost, and revealed by one PATCH: the commit.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NoReturn
from urllib.parse import urlsplit

from app.config import Setting, web_address
from app.platforms.base import (
    Account,
    Adapter,
    Counting,
    FormField,
    Limits,
    NotPublished,
    PublishContext,
    Receipt,
    Stats,
    Token,
    Unknown,
    number,
)
from app.platforms.errors import OwnOutage, Reconnect, Refused, Rejected, Stale, Unavailable
from app.platforms.http.pacing import Window

# Undocumented; this is what keeps out of trouble.
PER_TOKEN = (1, 1.0)
CATEGORY_OTHER = 13  # «Разное», GET /api/video/category/
MAX_BYTES = 25 * 10**9
MAX_SECONDS = 5 * 3600
MAX_TITLE = 100
MAX_DESCRIPTION = 5000
# How many of a channel's newest videos are searched for one whose creation was not answered.
SEARCHED = 100
_PROCESSING_SECONDS = 3 * 3600
# A video that Rutube does not know for so long after its creation has been deleted.
_UNSEEN_SECONDS = 600
_PAUSE = 30
_MINE = "/api/video/person/"
_TOKEN = re.compile(r"[!-~]{8,500}")


class _Denied(Unavailable):
    """401 or 403 in Rutube's own shape: of the token, or of this one video."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail, definitely_not_applied=True, reason="rutube_denied")
        self.status = status


class Rutube(Adapter):
    key = "rutube"
    name = "Rutube"
    settings = (Setting("RUTUBE_API_URL", "https://rutube.ru", "API Rutube", web_address, demo="{sandbox}/rutube"),)
    form = (
        FormField(
            "token",
            "Токен",
            "Токен API вашего канала. Получите его запросом POST /api/accounts/token_auth/ с логином и паролем Rutube; "
            "пароль нам не нужен.",
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
    }

    steps = {
        "create": "создание скрытого видео",
        "processed": "скачивание и обработка на Rutube",
        "reveal": "открытие видео для всех",
        "confirmed": "проверка, что клип виден",
    }

    @classmethod
    def limits(cls, config: Mapping[str, Any]) -> Limits:
        return Limits(
            max_bytes=MAX_BYTES,
            max_seconds=MAX_SECONDS,
            max_title=MAX_TITLE,
            max_description=MAX_DESCRIPTION,
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
        return "Публичный адрес не настроен: Rutube сам скачивает клип и сюда не дойдёт. Задайте PUBLIC_URL с https."

    # Connecting

    def connect(self, fields: Mapping[str, str]) -> tuple[list[Account], Token]:
        token = fields["token"].strip()
        if not _TOKEN.fullmatch(token):
            raise Refused("rutube_token", field="token")
        try:
            videos = self._call("GET", _MINE, token, params={"limit": 1})
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
            # A channel without a video does not tell who it is; the same token is the same channel.
            account = Account(id=nameless, name="Канал Rutube")
        return [account], Token(access=token)

    # Publishing

    def publish(self, context: PublishContext) -> Receipt:
        video_id = context.step("create", self._create, context)
        context.wait("processed", self._processed, context, video_id, every=5, until=_PROCESSING_SECONDS)
        receipt = context.commit("reveal", self._reveal, context, video_id, find=self._find)
        context.wait("confirmed", self._confirmed, context, video_id, every=5, until=600)
        return receipt

    def _create(self, context: PublishContext) -> str:
        """Hidden; the id comes back at once. Looked for first: the response of an earlier try may have been lost."""
        context.clip.open().close()  # raises what is wrong with the file, which Rutube could only call unavailable
        for video in self._newest(context.token.access):
            if _has_marker(context, video) and not _is_gone(video):
                return str(video["id"])
        made = self._call(
            "POST",
            "/api/video/",
            context.token.access,
            json={
                "url": context.link(),
                "title": context.title,
                "description": _marker(context),
                "is_hidden": 1,
                "category_id": CATEGORY_OTHER,
            },
        )
        if not made.get("video_id"):
            raise Unavailable("в ответе Rutube нет номера видео")
        return str(made["video_id"])

    def _newest(self, token: str) -> Iterator[Mapping[str, Any]]:
        """Page by page: how many Rutube puts on one is its own choice."""
        page, seen, more = 1, 0, True
        while more and seen < SEARCHED:
            response = self._call("GET", _MINE, token, params={"limit": SEARCHED, "page": page})
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
        if _is_gone(video):
            self._judge(context, _reason(video))
        if video.get("is_deleted"):
            return None
        return True if video.get("status") == "ready" or _reason(video) == "moderation" else None

    def _judge(self, context: PublishContext, reason: str) -> NoReturn:
        """It is Rutube's verdict only where it has fetched the whole file. Nothing is visible: it can begin again."""
        if context.is_fetched():
            raise Rejected("rutube_failed", reason)
        context.clip.open().close()
        try:
            status = self.http.request("HEAD", context.link()).status
        except Unavailable as error:
            raise OwnOutage("fetch_away", error.detail) from None
        except Refused:  # our address is none that a worker may ask: nothing is known
            status = 0
        if status == 404 or status >= 500:
            raise OwnOutage("fetch_away", f"HTTP {status}")
        raise Stale("rutube_failed", reason)

    def _reveal(self, context: PublishContext, video_id: str, *, begin_commit: Callable[[], None]) -> Receipt:
        begin_commit()
        video = self._call(
            "PATCH",
            f"/api/video/{video_id}/",
            context.token.access,
            missing_is_none=True,
            json={
                "title": context.title,
                "description": context.description,
                "is_hidden": 0,
                "category": CATEGORY_OTHER,
            },
        )
        if video is None:  # deleted since it was processed
            raise Stale("rutube_gone")
        return self._receipt(context, video_id, video)

    def _find(self, context: PublishContext, video_id: str) -> Receipt | NotPublished | Unknown:
        """The PATCH sets all fields at once: while one of them is the old one, it was not done."""
        video = self._video(context, video_id)
        if video is None or video.get("is_hidden") or _has_marker(context, video) or _is_gone(video):
            return NotPublished()
        return self._receipt(context, video_id, video) if _is_open(video) else Unknown()

    def _confirmed(self, context: PublishContext, video_id: str) -> bool | None:
        video = self._video(context, video_id)
        if video and _is_gone(video):
            raise Rejected("rutube_failed", _reason(video))
        return True if video and _is_open(video) and not _has_marker(context, video) else None

    def _video(self, context: PublishContext, video_id: str) -> Mapping[str, Any] | None:
        """None right after creation, when Rutube answers 404 for a while."""
        return self._call("GET", f"/api/video/{video_id}/", context.token.access, missing_is_none=True)

    def discard(self, context: PublishContext) -> None:
        video_id = context.answer("create")
        if video_id:
            self._call("DELETE", f"/api/video/{video_id}/", context.token.access, missing_is_none=True)

    @staticmethod
    def _receipt(context: PublishContext, video_id: str, video: Mapping[str, Any]) -> Receipt:
        url = str(video.get("video_url") or "")
        if not url.startswith(("https://", "http://")):
            kind = "shorts" if context.clip.height > context.clip.width else "video"
            url = f"https://rutube.ru/{kind}/{video_id}/"
        return Receipt(id=video_id, url=url)

    # Counting

    @classmethod
    def counting(cls, config: Mapping[str, Any]) -> Counting:
        return Counting(never={"shares": "Rutube не считает репосты."}, unknown="Rutube не показал это число.")

    def stats(self, token: Token | None, account: Account, ids: Sequence[str]) -> Mapping[str, Stats]:
        """Two calls a video: its own, and the public count of votes."""
        found: dict[str, Stats] = {}
        for video_id in ids:
            try:
                video = self._call("GET", f"/api/video/{video_id}/", token.access, missing_is_none=True)
            except _Denied:  # this video's numbers are not shown; the others' are
                continue
            if video is not None:
                found[video_id] = Stats(views=number(video.get("hits")), likes=self._likes(account, video_id))
        return found

    def _likes(self, account: Account, video_id: str) -> int | None:
        self.http.pace(Window(f"rutube:votes:{account.id}", *PER_TOKEN))
        try:
            votes = self._answer("GET", f"/api/numerator/video/{video_id}/vote", missing_is_none=True)
        except _Denied:
            return None
        return number(votes.get("positive")) if votes else None

    # The wire

    def _call(self, method: str, path: str, token: str, **kwargs: Any) -> Any:
        """Raises Reconnect where the token is good for nothing, not where one call was denied."""
        try:
            return self._ask(method, path, token, **kwargs)
        except _Denied as denied:
            self._require_good(token)
            if denied.status != 401:
                raise
        try:
            return self._ask(method, path, token, **kwargs)
        except _Denied as denied:
            raise Reconnect(denied.detail) from None  # 401 is never of the video, and it stays

    def _require_good(self, token: str) -> None:
        try:
            self._ask("GET", _MINE, token, params={"limit": 1})
        except _Denied as denied:
            raise Reconnect(denied.detail) from None

    def _ask(self, method: str, path: str, token: str, **kwargs: Any) -> Any:
        self.http.pace(Window(f"rutube:token:{token}", *PER_TOKEN))
        return self._answer(method, path, headers={"Authorization": f"Token {token}"}, **kwargs)

    def _answer(self, method: str, path: str, *, missing_is_none: bool = False, **kwargs: Any) -> Any:
        response = self.http.request(method, f"{self.config['RUTUBE_API_URL']}{path}", **kwargs)
        payload = response.json()
        own = isinstance(payload, dict)
        if own and response.status == 404 and missing_is_none:
            return None
        response.raise_if_limited(_PAUSE, definitely_not_applied=own and response.status == 429)
        if own and response.status in (401, 403):
            raise _Denied(response.status, _said(payload))
        if own and response.status == 404:
            raise Refused("rutube_gone", _said(payload))
        if own and 400 <= response.status < 500:
            raise Refused("refused", _said(payload))
        if response.status == 204:
            return {}
        if response.status >= 300 or not own:
            raise Unavailable(f"HTTP {response.status}, не похоже на ответ Rutube")
        return payload


def _marker(context: PublishContext) -> str:
    return f"vezde:{context.marker}"


def _has_marker(context: PublishContext, video: Mapping[str, Any]) -> bool:
    return _marker(context) in str(video.get("description") or "")


def _is_open(video: Mapping[str, Any]) -> bool:
    """Only Rutube's own word counts: a video without `is_hidden` is not known to be seen."""
    return video.get("is_hidden") in (False, 0) and not video.get("is_deleted")


def _is_gone(video: Mapping[str, Any]) -> bool:
    """`is_deleted` is also true while Rutube downloads."""
    return bool(
        video.get("status") == "error" or (video.get("is_deleted") and _reason(video) not in ("", "downloading_video"))
    )


def _reason(video: Mapping[str, Any]) -> str:
    return str((video.get("action_reason") or {}).get("name") or "")


def _said(payload: Any) -> str:
    """`{field: [msg]}`, `{non_field_errors: […]}` or `{detail}` as one line."""
    if not isinstance(payload, dict):
        return ""
    return "; ".join(
        " ".join(map(str, texts)) if isinstance(texts, list) else str(texts) for texts in payload.values()
    )[:300]
