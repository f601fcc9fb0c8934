"""The partner API. ASSUMED: Дзен has no public API for videos; this is the contract of platforms/dzen.md."""

import secrets
import uuid
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, answer, external
from sandbox.state import BLOCK, Token, Video

TOKEN_RATE = (5, 1.0)
"""Requests in seconds. The contract names no number; off unless the option is on."""

FIELDS = ("title", "description", "type")


class Refusal(Exception):
    """`{"error": {"code", "message"}}`."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self._status = status
        self._body = {"error": {"code": code, "message": message}}
        self._retry_after = retry_after

    def response(self) -> Response:
        return answer(self._body, self._status, self._retry_after)


class Publisher:
    """A video's facts: `upload_key`; `uploaded`, once its file is whole; `rejected` by moderation.

    Its processing begins with `publish`.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._world = emulator.world

    def add_routes(self, blueprint: Blueprint) -> None:
        for rule, right, deed in (
            ("POST videos/drafts", "zen:write", self._begin),
            ("POST videos/<number>/publish", "zen:write", self._publish),
            ("GET videos/<number>", "zen:read", self._show),
        ):
            method, path = rule.split()
            blueprint.add_url_rule(f"/dzen/publisher/{path}", rule, self._guarded(right, deed), methods=[method])
        blueprint.add_url_rule("/dzen/upload/<number>", "upload", _answered(self._upload), methods=["PUT"])

    def _guarded(self, right: str, deed: Callable[..., Any]) -> Callable[..., Response]:
        def view(**path: str) -> Any:
            token = self._emulator.authorized("OAuth")
            if token is None:
                raise Refusal(401, "unauthorized", "The token is missing, invalid or expired")
            if self._emulator.rate_limited:
                seconds = self._world.rates.take((f"dzen {token.token}", *TOKEN_RATE))
                if seconds:
                    raise Refusal(429, "too_many_requests", "Too many requests", seconds)
            if right not in token.scopes:
                raise Refusal(403, "forbidden", f"The token has no scope {right}")
            return deed(token, **path)

        return _answered(view)

    def find(self, number: str) -> Video | None:
        return self._world.videos.get(f"dzen-{number}")

    def settle(self) -> None:
        for video in self._world.received("dzen"):
            if video.ready and not video.facts["rejected"]:
                if self._world.options["moderation"]:
                    video.facts["rejected"] = True
                    self._world.keep(video)
                else:
                    self._world.publish(video, video.ready_at)

    def _begin(self, token: Token) -> dict[str, str]:
        sent = request.get_json(silent=True) if request.is_json else None
        if not isinstance(sent, dict):
            raise Refusal(400, "bad_request", "A JSON object is needed")
        for name in FIELDS:
            if not isinstance(sent.get(name), str):
                raise Refusal(400, "bad_request", f"{name} is missing or no string")
        if not sent["title"].strip():
            raise Refusal(400, "bad_request", "title is empty")
        if sent["type"] != "short":
            raise Refusal(400, "bad_request", "type is short")
        number = uuid.uuid4().hex[:24]
        video = self._world.begin(
            "dzen",
            token.account,
            f"dzen-{number}",
            id=number,
            title=sent["title"],
            text=sent["description"],
            url=f"/dzen/shorts/{number}",
            facts={"upload_key": secrets.token_hex(16), "uploaded": False, "rejected": False},
        )
        return {"id": number, "upload_url": external(f"/dzen/upload/{number}?key={video.facts['upload_key']}")}

    def _upload(self, number: str) -> dict[str, Any]:
        """Raw bytes. May be repeated until it is published; the key in the URL is all that it asks for."""
        video = self.find(number)
        if video is None or request.args.get("key") != video.facts["upload_key"]:
            raise Refusal(404, "not_found", "There is no such upload")
        if request.mimetype != "video/mp4":
            raise Refusal(415, "unsupported_media_type", "Content-Type has to be video/mp4")
        _check_not_published(video)
        limit = int(self._emulator.option("max_mb") * 1_000_000)
        video.facts["uploaded"] = False
        stream = request.environ["wsgi.input"]
        with self._world.receive(video) as receiver:
            while block := stream.read(BLOCK):
                if video.bytes + len(block) > limit:
                    raise Refusal(413, "too_large", f"At most {limit} bytes")
                receiver.write(block)
        if not video.bytes:
            raise Refusal(400, "bad_request", "The file is empty")
        video.facts["uploaded"] = True
        self._world.keep(video)
        return {"id": number, "bytes": video.bytes}

    def _publish(self, token: Token, number: str) -> dict[str, str]:
        with self._world.lock:
            video = self._own(token, number)
            _check_not_published(video)
            if not video.facts["uploaded"] or video.sha256 is None:
                raise Refusal(400, "no_file", "The file has not been uploaded")
            self._emulator.process(video)
        return {"id": number, "url": external(video.url)}

    def _show(self, token: Token, number: str) -> dict[str, Any]:
        video = self._own(token, number)
        return {
            "id": number,
            "status": _status(video),
            "url": external(video.url) if video.ready_at is not None else None,
            "statistics": {"views": video.views, "likes": video.likes, "shares": video.shares},
        }

    def _own(self, token: Token, number: str) -> Video:
        video = self.find(number)
        if video is None or video.account != token.account:
            raise Refusal(404, "not_found", "There is no such video")
        return video


def _check_not_published(video: Video) -> None:
    if video.ready_at is not None:
        raise Refusal(409, "already_published", "The video is published already")


def _status(video: Video) -> str:
    if video.published:
        return "published"
    if video.facts["rejected"]:
        return "rejected"
    return "draft" if video.ready_at is None else "processing"


def _answered(deed: Callable[..., Any]) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        try:
            return answer(deed(**path))
        except Refusal as refusal:
            return refusal.response()

    return view
