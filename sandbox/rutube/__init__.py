"""Rutube: the token API at /rutube/api, pages at /rutube/video and /rutube/shorts. From platforms/rutube.md."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, abort, render_template

from sandbox.commands import BadCommand, required
from sandbox.emulator import RETRY_AFTER, Emulator, reason_phrase
from sandbox.rutube.api import Api
from sandbox.rutube.channels import Channel, Channels
from sandbox.rutube.download import Downloader
from sandbox.rutube.rest_framework import ApiError, too_many
from sandbox.rutube.videos import CATEGORIES, Videos
from sandbox.state import State, Video

DEMO_TOKEN = "rutube-demo-token"
DEMO_CHANNEL = "23000001"


class Rutube(Emulator):
    key = "rutube"
    name = "Rutube"
    prefixes = ("rutube",)
    publishing = r"PATCH /rutube/api/video/\w+/$"
    uploading = r"POST /rutube/api/video/$"
    options: ClassVar = {
        "rutube_rate_limits": False,
        "rutube_max_mb": 25_000,
        "rutube_unreadable": False,
        "rutube_local_hosts": ["127.0.0.1", "localhost"],
        "rutube_unseen_seconds": 0.3,
        "rutube_page": 100,
        "rutube_tells_hidden": True,
        "rutube_blocks": False,
        "rutube_takes_adult": True,
        "rutube_takes_covers": True,
    }

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._channels = Channels(state)
        self._videos = Videos(self)
        self._api = Api(self, self._channels, self._videos, Downloader(self, self._videos))

    def seed(self) -> None:
        self._channels.save(Channel(DEMO_CHANNEL, "Волжские закаты"))
        self.add_token({"token": DEMO_TOKEN, "account": DEMO_CHANNEL})

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("rutube", __name__)
        self._api.add_routes(blueprint)
        for kind in ("video", "shorts"):
            blueprint.add_url_rule(f"/rutube/{kind}/<number>/", kind, self._show)
        return blueprint

    def _show(self, number: str) -> str:
        video = self._videos.find(number)
        if video is None or not video.visible:
            abort(404)
        return render_template("watch.html", video=video)

    def advance(self) -> None:
        self._videos.advance()

    def account_label(self, video: Video) -> str:
        channel = self._channels.find(video.account)
        return channel.name if channel else video.account

    def shown_facts(self, video: Video) -> dict[str, Any]:
        """`cover`: the SHA-256 of the thumbnail, where one was set."""
        cover = video.facts.get("cover")
        shown = {"category": CATEGORIES[video.facts["category"]], "adult": video.facts.get("adult", False)}
        return shown | ({"cover": cover} if cover else {})

    def notes(self, video: Video) -> list[str]:
        return [CATEGORIES[video.facts["category"]], *(["18+"] if video.facts.get("adult") else [])]

    def draft_status(self, draft: Video) -> str:
        match draft.facts["state"]:
            case "error":
                return f"не скачан: {draft.facts['failure']}"
            case "moderation":
                return "на модерации"
            case "ready":
                return "скрыт"
        return super().draft_status(draft)

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        if status == 429:
            return too_many(retry_after or RETRY_AFTER).response()
        return ApiError(status, reason_phrase(status), retry_after).response()

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """An HTTP status, or the text of a 400: Rutube has no error codes."""
        if code.isdigit():
            return self.status(path, int(code), retry_after)
        return ApiError(400, {"non_field_errors": [code]}, retry_after).response()

    # Control

    def add_token(self, command: Mapping[str, Any]) -> None:
        """Rutube's tokens have no scopes: each has all rights. `rights` with `scopes: []` makes one read-only."""
        account = str(required(command, "account"))
        if not account.isdigit():
            raise BadCommand("a Rutube account is a number")
        if self._channels.find(account) is None:
            self._channels.save(Channel(account, f"Канал {account}"))
        super().add_token({**command, "scopes": ["everything"]})
