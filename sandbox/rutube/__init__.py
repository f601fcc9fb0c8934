"""Rutube: the token API below /rutube/api, pages below /rutube/video and /rutube/shorts. From platforms/rutube.md."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, abort, render_template

from sandbox.emulator import RETRY_AFTER, Emulator, phrase
from sandbox.orders import required
from sandbox.rutube.api import Api
from sandbox.rutube.channels import Channel, Channels
from sandbox.rutube.pull import Pull
from sandbox.rutube.shapes import Refusal, too_many
from sandbox.rutube.videos import Videos
from sandbox.world import Video, World

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
        "rutube_local_hosts": ["127.0.0.1", "localhost"],
        "rutube_unseen_seconds": 0.3,
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._channels = Channels(world)
        self._videos = Videos(self)
        self._api = Api(self, self._channels, self._videos, Pull(self))

    def seed(self) -> None:
        self._channels.keep(Channel(DEMO_CHANNEL, "Волжские закаты"))
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

    def settle(self) -> None:
        self._videos.settle()

    def place(self, video: Video) -> str:
        return self._channels.of(video.account).name

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        if status == 429:
            return too_many(retry_after or RETRY_AFTER).response()
        return Refusal(status, phrase(status)).response(retry_after)

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """Rutube has no codes of its own: an HTTP status, or the text of a 400."""
        if code.isdigit():
            return self.status(path, int(code), retry_after)
        return Refusal(400, {"non_field_errors": [code]}).response(retry_after)

    # Control

    def add_token(self, order: Mapping[str, Any]) -> None:
        """Rutube's tokens know no scopes: each may do everything. `rights` with `scopes: []` makes one read only."""
        self._channels.of(str(required(order, "account")))
        super().add_token({**order, "scopes": ["everything"]})
