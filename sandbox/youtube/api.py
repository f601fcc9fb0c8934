"""The YouTube Data API: https://developers.google.com/youtube/v3/docs"""

import hashlib
import secrets
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, avatar_url, json_response
from sandbox.oauth import Account, OAuth
from sandbox.state import BLOCK, Token, Video
from sandbox.youtube import metadata
from sandbox.youtube.errors import GoogleError
from sandbox.youtube.google import SCOPE
from sandbox.youtube.quota import LIST, UPDATE, Quota
from sandbox.youtube.upload import PATH, Upload
from sandbox.youtube.videos import OWNERS_PARTS, Videos, pictures, timestamp

UPLOAD, READ = f"{SCOPE}youtube.upload", f"{SCOPE}youtube.readonly"
MAX_IDS = 50
MAX_COVER = 50_000_000
NO_CHANNEL = "nochannel"
"""The Google account that has no channel."""


class Api:
    def __init__(self, emulator: Emulator, videos: Videos, oauth: OAuth) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._videos = videos
        self._oauth = oauth
        self._quota = Quota(emulator)
        self._upload = Upload(emulator, videos, self._quota)

    def add_routes(self, blueprint: Blueprint) -> None:
        for rule, scope, handler in (
            ("GET /youtube/v3/channels", READ, self._channels),
            ("GET /youtube/v3/videos", READ, self._list),
            ("GET /youtube/v3/playlistItems", READ, self._playlist),
            (f"POST {PATH}", UPLOAD, self._insert),
            ("POST /upload/youtube/v3/thumbnails/set", UPLOAD, self._set_cover),
        ):
            method, path = rule.split()
            blueprint.add_url_rule(path, rule.replace(".", "-"), self._authorized(scope, handler), methods=[method])
        blueprint.add_url_rule(PATH, "send", _return_errors(self._upload.send), methods=["PUT"])

    def _authorized(self, scope: str, handler: Callable[[Token], Any]) -> Callable[[], Response]:
        def view() -> Any:
            token = self._emulator.authorized("Bearer")
            if token is None:
                raise GoogleError("authError", "Invalid Credentials")
            if scope not in token.scopes:
                raise GoogleError("insufficientPermissions", "Request had insufficient authentication scopes.")
            return handler(token)

        return _return_errors(view)

    # Channels

    def _channels(self, token: Token) -> dict[str, Any]:
        self._quota.spend(token, LIST)
        parts = request.args.get("part", "").split(",")
        if request.args.get("mine") != "true":
            raise GoogleError("missingRequiredParameter", "No filter selected. Expected one of: mine")
        channel = self._channel(token)
        return _page("channel", [_channel_resource(channel, parts, len(self._public(channel.id)))] if channel else [])

    def _channel(self, token: Token) -> Account | None:
        return None if token.account == NO_CHANNEL else self._oauth.account(token.account)

    def _public(self, channel_id: str) -> list[Video]:
        return [one for one in self._videos.all() if one.account == channel_id and one.visible]

    def _playlist(self, token: Token) -> dict[str, Any]:
        """The playlist of a channel's uploads; to its owner with what is private or rejected."""
        self._quota.spend(token, LIST)
        playlist = request.args.get("playlistId", "")
        if not request.args.get("part") or not playlist:
            raise GoogleError("missingRequiredParameter", "part and playlistId are needed")
        channel_id = f"UC{playlist.removeprefix('UU')}"
        if not playlist.startswith("UU") or self._oauth.account(channel_id) is None:
            raise GoogleError("playlistNotFound", "The playlist cannot be found.")
        count = request.args.get("maxResults", "5")
        if not count.isdigit() or int(count) > MAX_IDS:
            raise GoogleError("invalidParameter", "maxResults is 0 to 50")
        mine = channel_id == token.account
        shown = [one for one in self._videos.all() if one.account == channel_id and (mine or one.visible)]
        items = [self._item(one, playlist, number) for number, one in enumerate(shown[: int(count)])]
        return _page("playlistItem", items, len(shown))

    def _item(self, video: Video, playlist: str, position: int) -> dict[str, Any]:
        snippet = self._videos.snippet(video)
        own = {name: snippet[name] for name in ("publishedAt", "channelId", "title", "description", "thumbnails")}
        at = {"kind": "youtube#video", "videoId": video.id}
        return {
            "kind": "youtube#playlistItem",
            "etag": secrets.token_urlsafe(20),
            "id": secrets.token_urlsafe(30),
            "snippet": {**own, "playlistId": playlist, "position": position, "resourceId": at},
            "contentDetails": {"videoId": video.id, "videoPublishedAt": snippet["publishedAt"]},
        }

    # Videos

    def _list(self, token: Token) -> dict[str, Any]:
        self._quota.spend(token, LIST)
        parts = metadata.parts(request.args.get("part", ""))
        ids = [one for given in request.args.getlist("id") for one in given.split(",") if one]
        if not ids:
            raise GoogleError("missingRequiredParameter", "No filter selected. Expected one of: id")
        if len(ids) > MAX_IDS:
            raise GoogleError("invalidFilters", f"At most {MAX_IDS} ids")
        found = [video for one in dict.fromkeys(ids) if (video := self._videos.find(one))]
        seen = [one for one in found if one.account == token.account or one.visible]
        if OWNERS_PARTS & set(parts) and any(one.account != token.account for one in seen):
            raise GoogleError("forbidden", "The request is not properly authorized to access processing information.")
        return _page("video", [self._videos.resource(one, parts) for one in seen])

    def _insert(self, token: Token) -> Response:
        channel = self._channel(token)
        if channel is None:
            raise GoogleError("youtubeSignupRequired", "Unauthorized")
        return self._upload.begin(token, channel.name)

    def _set_cover(self, token: Token) -> dict[str, Any]:
        """Before the video is processed it is accepted, and nothing changes."""
        self._quota.spend(token, UPDATE)
        video = self._videos.find(request.args.get("videoId", ""))
        if video is None or video.account != token.account:
            raise GoogleError(
                "videoNotFound", "The video that you are trying to insert a thumbnail for cannot be found."
            )
        if not self._emulator.option("phone_verified"):
            raise GoogleError(
                "forbidden", "The authenticated user doesn't have permissions to upload custom thumbnails."
            )
        picture = _read_picture()
        if not picture:
            raise GoogleError("mediaBodyRequired", "The request does not include the image content.")
        if not picture.startswith((b"\xff\xd8", b"\x89PNG\r\n")):
            raise GoogleError("invalidImage", "The provided image content is invalid.")
        if video.published:
            video.facts["cover"] = hashlib.sha256(picture).hexdigest()
            self._state.save(video)
        return {
            "kind": "youtube#thumbnailSetResponse",
            "etag": secrets.token_urlsafe(20),
            "items": [pictures(video)],
        }


def _read_picture() -> bytes:
    """Raises GoogleError."""
    if request.mimetype not in ("image/jpeg", "image/png", "application/octet-stream"):
        raise GoogleError("badContent", f"Media type '{request.mimetype}' is not supported.")
    picture, stream = b"", request.environ["wsgi.input"]
    while block := stream.read(BLOCK):
        picture += block
        if len(picture) > MAX_COVER:
            raise GoogleError("mediaTooLarge", "The image is too large.", status=413)
    return picture


def _channel_resource(channel: Account, parts: list[str], count: int) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": "youtube#channel", "etag": secrets.token_urlsafe(20), "id": channel.id}
    picture = {"url": avatar_url(channel.name), "width": 88, "height": 88}
    if "snippet" in parts:
        texts = {"title": channel.name, "description": "", "customUrl": channel.login}
        localized = {"title": channel.name, "description": ""}
        shown["snippet"] = {
            **texts,
            "publishedAt": timestamp(0),
            "thumbnails": {"default": picture},
            "localized": localized,
        }
    if "statistics" in parts:
        numbers = {"viewCount": "1000", "subscriberCount": "10", "videoCount": str(count)}
        shown["statistics"] = {**numbers, "hiddenSubscriberCount": False}
    if "contentDetails" in parts:
        shown["contentDetails"] = {"relatedPlaylists": {"likes": "LL", "uploads": f"UU{channel.id[2:]}"}}
    return shown


def _page(kind: str, items: list[dict[str, Any]], total: int | None = None) -> dict[str, Any]:
    count = len(items) if total is None else total
    body = {"kind": f"youtube#{kind}ListResponse", "etag": secrets.token_urlsafe(20)}
    return body | {"items": items, "pageInfo": {"totalResults": count, "resultsPerPage": len(items)}}


def _return_errors(handler: Callable[[], Any]) -> Callable[[], Response]:
    def view() -> Response:
        try:
            answer = handler()
        except GoogleError as error:
            return error.response()
        return answer if isinstance(answer, Response) else json_response(answer)

    return view
