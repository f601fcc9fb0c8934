"""The token API. The vendor's own client, archived: https://github.com/rutube/api-client"""

import hashlib
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from flask import Blueprint, Response, abort, request, send_file

from sandbox import jpeg
from sandbox.emulator import Emulator, avatar_url, external_url, json_response
from sandbox.multipart import BadMultipart, parts
from sandbox.rutube.channels import Channel, Channels
from sandbox.rutube.download import Downloader
from sandbox.rutube.rest_framework import REQUIRED, ApiError, Parser, json_body, parse_fields, too_many
from sandbox.rutube.videos import CATEGORIES, Videos, video_json
from sandbox.state import Token, Video

TOKEN_RATE = (1, 1.0)
"""Requests per seconds. The vendor documents no limit; off by default."""
PAGE = 20
MAX_THUMBNAIL_BYTES = 10_000_000
"""From the vendor's page."""
PNG = b"\x89PNG\r\n\x1a\n"
MOSCOW = timezone(timedelta(hours=3))


class Api:
    def __init__(self, emulator: Emulator, channels: Channels, videos: Videos, downloader: Downloader) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._channels = channels
        self._videos = videos
        self._downloader = downloader

    def add_routes(self, blueprint: Blueprint) -> None:
        for rule, handler in {
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
            blueprint.add_url_rule(
                f"/rutube/api/{path}", rule.replace(".", "-"), self._authorized(handler), methods=[method]
            )
        blueprint.add_url_rule("/rutube/api/profile/user/<number>/", "profile", _return_errors(self._profile))
        blueprint.add_url_rule("/rutube/api/numerator/video/<number>/vote", "vote", _return_errors(self._vote))
        blueprint.add_url_rule("/rutube/thumbnails/<name>", "thumbnail", self._thumbnail)

    def _authorized(self, handler: Callable[..., Any]) -> Callable[..., Response]:
        """Requires a token and enforces the rate limit."""

        def view(**path: str) -> Any:
            token = self._token()
            if self._emulator.rate_limited:
                seconds = self._state.rate_limits.hit((f"rutube {token.token}", *TOKEN_RATE))
                if seconds:
                    raise too_many(seconds)
            if request.method != "GET" and not token.scopes:
                raise ApiError(403, "У вас недостаточно прав для выполнения данного действия.")
            return handler(token, **path)

        return _return_errors(view)

    def _token(self) -> Token:
        if not request.headers.get("Authorization", "").startswith("Token "):
            raise ApiError(401, "Учетные данные не были предоставлены.")
        token = self._emulator.authorized("Token")
        if token is None:
            raise ApiError(401, "Недопустимый токен.")
        return token

    # Authorized

    def _create(self, token: Token) -> dict[str, str]:
        parsers: dict[str, Parser] = {
            "url": self._downloader.validate_url,
            "title": _title,
            "description": _text,
            "is_hidden": _flag,
            "category_id": _category,
        }
        body = json_body()
        fields = parse_fields(body, parsers, required=True) | parse_fields(body, ADULT, required=False)
        video = self._videos.begin(
            token.account,
            source=fields["url"],
            title=fields["title"],
            text=fields["description"],
            hidden=fields["is_hidden"],
            category=fields["category_id"],
            adult=fields.get("is_adult", False),
        )
        self._downloader.start(video)
        return {"video_id": video.id}

    def _list(self, token: Token) -> dict[str, Any]:
        limit, page = _number("limit", PAGE, self._emulator.option("page")), _number("page", 1)
        with self._state.lock:
            videos = self._videos.list_for(token.account)
            start = (page - 1) * limit
            if page > 1 and start >= len(videos):
                raise ApiError(404, "Неправильная страница")
            has_next = start + limit < len(videos)
            return {
                "page": page,
                "per_page": limit,
                "has_next": has_next,
                "next": external_url(f"/rutube/api/video/person/?limit={limit}&page={page + 1}") if has_next else None,
                "results": [self._as_json(video) for video in videos[start:][:limit]],
            }

    def _show(self, token: Token, number: str) -> dict[str, Any]:
        video = self._videos.find(number)
        if video is None or (video.account != token.account and not video.visible):
            raise ApiError(404, "Страница не найдена.")
        return self._as_json(video)

    def _change(self, token: Token, number: str) -> dict[str, Any]:
        parsers: dict[str, Parser] = {
            "title": _title,
            "description": _text,
            "is_hidden": _flag,
            "category": _category,
        } | ADULT
        fields = parse_fields(json_body(), parsers, required=False)
        with self._state.lock:
            video = self._owned(token, number)
            video.title = fields.get("title", video.title)
            video.text = fields.get("description", video.text)
            video.facts["category"] = fields.get("category", video.facts["category"])
            if "is_adult" in fields:
                video.facts["adult"] = fields["is_adult"] and self._emulator.option("takes_adult")
            if "is_hidden" in fields:
                self._videos.hide(video, fields["is_hidden"])
            self._state.save(video)
            self._videos.advance()
            return self._as_json(video)

    def _delete(self, token: Token, number: str) -> Response:
        with self._state.lock:
            self._state.discard(self._owned(token, number))
        return Response(status=204)

    def _schedule(self, token: Token) -> dict[str, str]:
        fields = json_body()
        moment = parse_fields(fields, {"video": _title, "timestamp": _moment}, required=True)["timestamp"]
        with self._state.lock:
            video = self._owned(token, fields["video"])
            video.facts["publish_at"] = moment
            self._state.save(video)
        return {"video": video.id, "timestamp": fields["timestamp"]}

    def _set_thumbnail(self, token: Token, number: str) -> dict[str, str]:
        video = self._owned(token, number)
        try:
            fields = {
                part.name: part.bytes(MAX_THUMBNAIL_BYTES)
                for part in parts(request.environ["wsgi.input"], request.content_type or "")
            }
        except BadMultipart as error:
            raise ApiError(400, {"file": [str(error)]}) from error
        if "file" not in fields:
            raise ApiError(400, {"file": [REQUIRED]})
        is_picture = jpeg.size(fields["file"]) is not None or fields["file"].startswith(PNG)
        if not is_picture or not self._emulator.option("takes_covers"):
            raise ApiError(400, {"file": ["Загрузите правильное изображение."]})
        with self._state.lock:
            video.facts["thumbnail"] = uuid.uuid4().hex
            video.facts["cover"] = hashlib.sha256(fields["file"]).hexdigest()
            (self._state.files / video.facts["thumbnail"]).write_bytes(fields["file"])
            self._state.save(video)
        return {"thumbnail_url": self._as_json(video)["thumbnail_url"]}

    def _categories(self, _: Token) -> list[dict[str, Any]]:
        return [{"id": number, "name": name} for number, name in CATEGORIES.items()]

    # Public

    def _profile(self, number: str) -> dict[str, Any]:
        channel = self._channels.find(number)
        if channel is None:
            raise ApiError(404, "Страница не найдена.")
        return {"id": int(channel.id), "name": channel.name, "avatar": avatar_url(channel.name)}

    def _vote(self, number: str) -> dict[str, int]:
        video = self._videos.find(number)
        if video is None or video.likes is None:
            raise ApiError(404, "Страница не найдена.")
        return {"positive": video.likes, "negative": 0}

    def _thumbnail(self, name: str) -> Response:
        path = self._state.files / name
        if not path.is_file():
            abort(404)
        kind = "image/png" if path.read_bytes()[:8] == PNG else "image/jpeg"
        return send_file(path.resolve(), mimetype=kind)

    # Shared

    def _owned(self, token: Token, number: str) -> Video:
        video = self._videos.find(number)
        if video is None:
            raise ApiError(404, "Страница не найдена.")
        if video.account != token.account:
            raise ApiError(403, "У вас недостаточно прав для выполнения данного действия.")
        return video

    def _as_json(self, video: Video) -> dict[str, Any]:
        channel = self._channels.find(video.account) or Channel(video.account, video.account)
        return video_json(video, channel, self._emulator.option("tells_hidden"))


def _return_errors(handler: Callable[..., Any]) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        try:
            result = handler(**path)
        except ApiError as error:
            return error.response()
        return result if isinstance(result, Response) else json_response(result)

    return view


def _number(name: str, default: int, maximum: int | None = None) -> int:
    text = request.args.get(name, "")
    number = int(text) if text.isdigit() and int(text) else default
    return number if maximum is None else min(number, maximum)


# Field parsers


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


ADULT: dict[str, Parser] = {"is_adult": _flag}
"""Which field takes it is an assumption; the option `rutube_takes_adult` has it ignored."""


def _category(value: Any) -> int:
    if isinstance(value, bool) or value not in CATEGORIES:
        raise ValueError(f'Недопустимый первичный ключ "{value}" - объект не существует.')
    return value


def _moment(value: Any) -> float:
    """Returns a Moscow time as Unix time."""
    try:
        moment = datetime.strptime(_text(value), "%Y-%m-%d %H:%M:%S").replace(tzinfo=MOSCOW).timestamp()
    except ValueError as error:
        raise ValueError("Неправильный формат datetime.") from error
    if moment <= time.time():
        raise ValueError("Время публикации уже прошло.")
    return moment
