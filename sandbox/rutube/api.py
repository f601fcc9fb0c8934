"""The token API. The vendor's own client, archived: https://github.com/rutube/api-client"""

import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from flask import Blueprint, Response, abort, request, send_file

from sandbox import jpeg
from sandbox.emulator import Emulator, answer, avatar, external
from sandbox.multipart import BadMultipart, parts
from sandbox.rutube.channels import Channel, Channels
from sandbox.rutube.download import Pull
from sandbox.rutube.rest_framework import REQUIRED, Reader, Refusal, posted, read, too_many
from sandbox.rutube.videos import CATEGORIES, Videos, shown
from sandbox.state import Token, Video

TOKEN_RATE = (1, 1.0)
"""Requests in seconds. The vendor documents none; off unless the option is on."""
PAGE = 20
MAX_THUMBNAIL_BYTES = 10_000_000
"""By the vendor's page."""
PNG = b"\x89PNG\r\n\x1a\n"
MOSCOW = timezone(timedelta(hours=3))


class Api:
    def __init__(self, emulator: Emulator, channels: Channels, videos: Videos, pull: Pull) -> None:
        self._emulator = emulator
        self._world = emulator.world
        self._channels = channels
        self._videos = videos
        self._pull = pull

    def add_routes(self, blueprint: Blueprint) -> None:
        for rule, deed in {
            "POST video/": self._create,
            "GET video/person/": self._list,
            "GET video/category/": self._categories,
            "POST video/publication/": self._schedule,
            "GET video/<number>/": self._show,
            "PATCH video/<number>/": self._change,
            "DELETE video/<number>/": self._delete,
            "POST video/<number>/thumbnail/": self._set_thumbnail,
        }.items():
            method, path = rule.split()
            blueprint.add_url_rule(f"/rutube/api/{path}", rule.replace(".", "-"), self._guarded(deed), methods=[method])
        blueprint.add_url_rule("/rutube/api/profile/user/<number>/", "profile", _answered(self._profile))
        blueprint.add_url_rule("/rutube/api/numerator/video/<number>/vote", "vote", _answered(self._vote))
        blueprint.add_url_rule("/rutube/thumbnails/<name>", "thumbnail", self._thumbnail)

    def _guarded(self, deed: Callable[..., Any]) -> Callable[..., Response]:
        """Everything but what is public: with a token, and not too often."""

        def view(**path: str) -> Any:
            token = self._token()
            if self._emulator.rate_limited:
                seconds = self._world.rates.take((f"rutube {token.token}", *TOKEN_RATE))
                if seconds:
                    raise too_many(seconds)
            if request.method != "GET" and not token.scopes:
                raise Refusal(403, "У вас недостаточно прав для выполнения данного действия.")
            return deed(token, **path)

        return _answered(view)

    def _token(self) -> Token:
        if not request.headers.get("Authorization", "").startswith("Token "):
            raise Refusal(401, "Учетные данные не были предоставлены.")
        token = self._emulator.authorized("Token")
        if token is None:
            raise Refusal(401, "Недопустимый токен.")
        return token

    # What a channel does with its videos

    def _create(self, token: Token) -> dict[str, str]:
        readers: dict[str, Reader] = {
            "url": self._pull.checked,
            "title": _title,
            "description": _text,
            "is_hidden": _flag,
            "category_id": _category,
        }
        sent = read(posted(), readers, required=True)
        video = self._videos.begin(
            token.account,
            source=sent["url"],
            title=sent["title"],
            text=sent["description"],
            hidden=sent["is_hidden"],
            category=sent["category_id"],
        )
        self._pull.start(video)
        return {"video_id": video.id}

    def _list(self, token: Token) -> dict[str, Any]:
        limit, page = _number("limit", PAGE, self._emulator.option("page")), _number("page", 1)
        with self._world.lock:
            videos = self._videos.of(token.account)
            start = (page - 1) * limit
            if page > 1 and start >= len(videos):
                raise Refusal(404, "Неправильная страница")
            more = start + limit < len(videos)
            return {
                "page": page,
                "per_page": limit,
                "has_next": more,
                "next": external(f"/rutube/api/video/person/?limit={limit}&page={page + 1}") if more else None,
                "results": [self._shown(video) for video in videos[start:][:limit]],
            }

    def _show(self, token: Token, number: str) -> dict[str, Any]:
        video = self._videos.find(number)
        if video is None or (video.account != token.account and not video.visible):
            raise Refusal(404, "Страница не найдена.")
        return self._shown(video)

    def _change(self, token: Token, number: str) -> dict[str, Any]:
        readers: dict[str, Reader] = {
            "title": _title,
            "description": _text,
            "is_hidden": _flag,
            "category": _category,
        }
        sent = read(posted(), readers, required=False)
        with self._world.lock:
            video = self._own(token, number)
            video.title = sent.get("title", video.title)
            video.text = sent.get("description", video.text)
            video.facts["category"] = sent.get("category", video.facts["category"])
            if "is_hidden" in sent:
                self._videos.hide(video, sent["is_hidden"])
            self._world.keep(video)
            self._videos.settle()
            return self._shown(video)

    def _delete(self, token: Token, number: str) -> Response:
        with self._world.lock:
            self._world.discard(self._own(token, number))
        return Response(status=204)

    def _schedule(self, token: Token) -> dict[str, str]:
        sent = posted()
        moment = read(sent, {"video": _title, "timestamp": _moment}, required=True)["timestamp"]
        with self._world.lock:
            video = self._own(token, sent["video"])
            video.facts["publish_at"] = moment
            self._world.keep(video)
        return {"video": video.id, "timestamp": sent["timestamp"]}

    def _set_thumbnail(self, token: Token, number: str) -> dict[str, str]:
        video = self._own(token, number)
        try:
            sent = {
                part.name: part.bytes(MAX_THUMBNAIL_BYTES)
                for part in parts(request.environ["wsgi.input"], request.content_type or "")
            }
        except BadMultipart as error:
            raise Refusal(400, {"file": [str(error)]}) from error
        if "file" not in sent:
            raise Refusal(400, {"file": [REQUIRED]})
        if jpeg.size(sent["file"]) is None and not sent["file"].startswith(PNG):
            raise Refusal(400, {"file": ["Загрузите правильное изображение."]})
        with self._world.lock:
            video.facts["thumbnail"] = uuid.uuid4().hex
            (self._world.files / video.facts["thumbnail"]).write_bytes(sent["file"])
            self._world.keep(video)
        return {"thumbnail_url": self._shown(video)["thumbnail_url"]}

    def _categories(self, _: Token) -> list[dict[str, Any]]:
        return [{"id": number, "name": name} for number, name in CATEGORIES.items()]

    # What is public

    def _profile(self, number: str) -> dict[str, Any]:
        channel = self._channels.find(number)
        if channel is None:
            raise Refusal(404, "Страница не найдена.")
        return {"id": int(channel.id), "name": channel.name, "avatar": avatar(channel.name)}

    def _vote(self, number: str) -> dict[str, int]:
        video = self._videos.find(number)
        if video is None or video.likes is None:
            raise Refusal(404, "Страница не найдена.")
        return {"positive": video.likes, "negative": 0}

    def _thumbnail(self, name: str) -> Response:
        path = self._world.files / name
        if not path.is_file():
            abort(404)
        kind = "image/png" if path.read_bytes()[:8] == PNG else "image/jpeg"
        return send_file(path.resolve(), mimetype=kind)

    # What several calls ask

    def _own(self, token: Token, number: str) -> Video:
        video = self._videos.find(number)
        if video is None:
            raise Refusal(404, "Страница не найдена.")
        if video.account != token.account:
            raise Refusal(403, "У вас недостаточно прав для выполнения данного действия.")
        return video

    def _shown(self, video: Video) -> dict[str, Any]:
        channel = self._channels.find(video.account) or Channel(video.account, video.account)
        return shown(video, channel, self._emulator.option("tells_hidden"))


def _answered(deed: Callable[..., Any]) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        try:
            said = deed(**path)
        except Refusal as refusal:
            return refusal.response()
        return said if isinstance(said, Response) else answer(said)

    return view


def _number(name: str, default: int, most: int | None = None) -> int:
    text = request.args.get(name, "")
    number = int(text) if text.isdigit() and int(text) else default
    return number if most is None else min(number, most)


# Readers of fields


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Not a valid string.")
    return value


def _title(value: Any) -> str:
    if not _text(value).strip():
        raise ValueError("Это поле не может быть пустым.")
    return value


def _flag(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError("Must be a valid boolean.")
    return bool(value)


def _category(value: Any) -> int:
    if isinstance(value, bool) or value not in CATEGORIES:
        raise ValueError(f'Недопустимый первичный ключ "{value}" - объект не существует.')
    return value


def _moment(value: Any) -> float:
    """Moscow's time as Unix time."""
    try:
        moment = datetime.strptime(_text(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=MOSCOW).timestamp()
    except ValueError as error:
        raise ValueError("Неправильный формат datetime.") from error
    if moment <= time.time():
        raise ValueError("Время публикации уже прошло.")
    return moment
