"""The partner API. ASSUMED: Дзен has no public API for videos; this is the contract in platforms/dzen.md."""

import secrets
import uuid
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, external_url, json_response
from sandbox.state import BLOCK, Token, Video

TOKEN_RATE = (5, 1.0)
"""Requests per seconds. The contract has no limit; off by default."""

FIELDS = ("title", "description", "type")


class ApiError(Exception):
    """An error response: `{"error": {"code", "message"}}`."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self._status = status
        self._body = {"error": {"code": code, "message": message}}
        self._retry_after = retry_after

    def response(self) -> Response:
        return json_response(self._body, self._status, self._retry_after)


class Publisher:
    """A video's facts: `upload_key`; `uploaded`: the file is complete; `rejected`: by moderation.

    Processing begins with `publish`.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = emulator.state

    def add_routes(self, blueprint: Blueprint) -> None:
        for rule, scope, handler in (
            ("POST videos/drafts", "zen:write", self._begin),
            ("POST videos/<number>/publish", "zen:write", self._publish),
            ("GET videos/<number>", "zen:read", self._show),
        ):
            method, path = rule.split()
            blueprint.add_url_rule(f"/dzen/publisher/{path}", rule, self._authorized(scope, handler), methods=[method])
        blueprint.add_url_rule("/dzen/upload/<number>", "upload", _return_errors(self._upload), methods=["PUT"])

    def _authorized(self, scope: str, handler: Callable[..., Any]) -> Callable[..., Response]:
        def view(**path: str) -> Any:
            token = self._emulator.authorized("OAuth")
            if token is None:
                raise ApiError(401, "unauthorized", "The token is missing, invalid or expired")
            if self._emulator.rate_limited:
                seconds = self._state.rate_limits.hit((f"dzen {token.token}", *TOKEN_RATE))
                if seconds:
                    raise ApiError(429, "too_many_requests", "Too many requests", seconds)
            if scope not in token.scopes:
                raise ApiError(403, "forbidden", f"The token has no scope {scope}")
            return handler(token, **path)

        return _return_errors(view)

    def find(self, number: str) -> Video | None:
        return self._state.videos.get(f"dzen-{number}")

    def advance(self) -> None:
        for video in self._state.uploaded_drafts("dzen"):
            if video.ready and not video.facts["rejected"]:
                if self._state.options["moderation"]:
                    video.facts["rejected"] = True
                    self._state.save(video)
                else:
                    self._state.publish(video, video.ready_at)

    def _begin(self, token: Token) -> dict[str, str]:
        fields = request.get_json(silent=True) if request.is_json else None
        if not isinstance(fields, dict):
            raise ApiError(400, "bad_request", "A JSON object is needed")
        for name in FIELDS:
            if not isinstance(fields.get(name), str):
                raise ApiError(400, "bad_request", f"{name} is missing or no string")
        if not fields["title"].strip():
            raise ApiError(400, "bad_request", "title is empty")
        if fields["type"] != "short":
            raise ApiError(400, "bad_request", "type is short")
        number = uuid.uuid4().hex[:24]
        video = self._state.begin(
            "dzen",
            token.account,
            f"dzen-{number}",
            id=number,
            title=fields["title"],
            text=fields["description"],
            url=f"/dzen/shorts/{number}",
            facts={"upload_key": secrets.token_hex(16), "uploaded": False, "rejected": False},
        )
        return {"id": number, "upload_url": external_url(f"/dzen/upload/{number}?key={video.facts['upload_key']}")}

    def _upload(self, number: str) -> dict[str, Any]:
        """Raw bytes. Can be repeated until `publish`; the key in the URL is the only authorization."""
        video = self.find(number)
        if video is None or request.args.get("key") != video.facts["upload_key"]:
            raise ApiError(404, "not_found", "There is no such upload")
        if request.mimetype != "video/mp4":
            raise ApiError(415, "unsupported_media_type", "Content-Type has to be video/mp4")
        _check_not_published(video)
        limit = int(self._emulator.option("max_mb") * 1_000_000)
        video.facts["uploaded"] = False
        stream = request.environ["wsgi.input"]
        with self._state.receive(video) as receiver:
            while block := stream.read(BLOCK):
                if video.bytes + len(block) > limit:
                    raise ApiError(413, "too_large", f"At most {limit} bytes")
                receiver.write(block)
        if not video.bytes:
            raise ApiError(400, "bad_request", "The file is empty")
        video.facts["uploaded"] = True
        self._state.save(video)
        return {"id": number, "bytes": video.bytes}

    def _publish(self, token: Token, number: str) -> dict[str, str]:
        with self._state.lock:
            video = self._owned(token, number)
            _check_not_published(video)
            if not video.facts["uploaded"] or video.sha256 is None:
                raise ApiError(400, "no_file", "The file has not been uploaded")
            self._emulator.process(video)
        return {"id": number, "url": external_url(video.url)}

    def _show(self, token: Token, number: str) -> dict[str, Any]:
        video = self._owned(token, number)
        return {
            "id": number,
            "status": _status(video),
            "url": external_url(video.url) if video.ready_at is not None else None,
            "statistics": {"views": video.views, "likes": video.likes, "shares": video.shares},
        }

    def _owned(self, token: Token, number: str) -> Video:
        video = self.find(number)
        if video is None or video.account != token.account:
            raise ApiError(404, "not_found", "There is no such video")
        return video


def _check_not_published(video: Video) -> None:
    if video.ready_at is not None:
        raise ApiError(409, "already_published", "The video is published already")


def _status(video: Video) -> str:
    if video.published:
        return "published"
    if video.facts["rejected"]:
        return "rejected"
    return "draft" if video.ready_at is None else "processing"


def _return_errors(handler: Callable[..., Any]) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        try:
            return json_response(handler(**path))
        except ApiError as error:
            return error.response()

    return view
