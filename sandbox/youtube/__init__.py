"""YouTube: Google's OAuth at /google, the Data API at its own paths, /youtube/v3 and /upload/youtube/v3, where Google's
client libraries look for it (platforms/youtube.md). Its pages are at /youtube-web.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, abort, render_template, request

from sandbox.commands import required
from sandbox.emulator import Emulator
from sandbox.oauth import Account
from sandbox.state import State, Video
from sandbox.youtube.api import NO_CHANNEL, Api
from sandbox.youtube.errors import GoogleError, of_status
from sandbox.youtube.google import SCOPES, Google
from sandbox.youtube.upload import PATH
from sandbox.youtube.videos import Videos

WEEK = 7 * 24 * 3600
DEMO_TOKEN = "ya29.vezde-demo"
CHANNELS = (
    Account("UCdemoVolzhskieZakaty001", "Волжские закаты", "@volga"),
    Account("UCdemoStudiyaBereg000002", "Студия «Берег»", "@bereg"),
    Account(NO_CHANNEL, "Зритель без канала", "viewer@gmail.com"),
)


class YouTube(Emulator):
    key = "youtube"
    name = "YouTube"
    prefixes = ("youtube", "upload", "google", "youtube-web")
    publishing = uploading = rf"PUT {PATH}$"
    options: ClassVar = {
        "youtube_rate_limits": True,
        "youtube_daily_inserts": 100,
        "youtube_daily_units": 10_000,
        "youtube_channel_uploads": 0,
        "youtube_session_seconds": WEEK,
        "youtube_keeps_percent": 100,
        "youtube_privacy": "",
        "youtube_rejection": "",
        "youtube_failure": "",
        "youtube_reject_duplicates": False,
        "youtube_phone_verified": True,
        "google_scopes": None,
        "google_client_secret": "",
    }

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._google = Google(self)
        self._videos = Videos(self)
        self._api = Api(self, self._videos, self._google.oauth)

    def seed(self) -> None:
        for channel in CHANNELS:
            self._google.oauth.add_account(channel)
        self.add_token({"token": DEMO_TOKEN, "account": CHANNELS[0].id, "scopes": list(SCOPES)})

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("youtube", __name__)
        self._google.add_routes(blueprint)
        self._api.add_routes(blueprint)
        blueprint.add_url_rule("/youtube-web/shorts/<number>", "shorts", self._show)
        blueprint.add_url_rule("/youtube-web/watch", "watch", lambda: self._show(request.args.get("v", "")))
        blueprint.add_url_rule("/youtube-web/channel/<channel_id>", "channel", self._show_channel)
        return blueprint

    def _show(self, number: str) -> str:
        video = self._videos.find(number)
        if video is None or not video.visible:
            abort(404)
        return render_template("watch.html", video=video)

    def _show_channel(self, channel_id: str) -> str:
        channel = self._google.oauth.account(channel_id)
        if channel is None:
            abort(404)
        return render_template("owner.html", name=channel.name, posts=self.listed(channel_id))

    def listed(self, channel_id: str) -> list[Video]:
        mine = (one for one in self._videos.all() if one.account == channel_id and one.visible)
        return [one for one in mine if one.facts["metadata"]["status"]["privacyStatus"] == "public"]

    def advance(self) -> None:
        self._videos.advance()

    def account_label(self, video: Video) -> str:
        channel = self._google.oauth.account(video.account)
        return channel.name if channel else video.account

    def shown_facts(self, video: Video) -> dict[str, Any]:
        """`cover`: the thumbnail's SHA-256."""
        facts = video.facts
        return {name: facts.get(name) for name in ("metadata", "notify", "cover")}

    def draft_status(self, draft: Video) -> str:
        if draft.id is None:
            return "загружается" if draft.bytes else "ждёт файл"
        return super().draft_status(draft)

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        return of_status(status, retry_after)

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """One of Google's reasons, such as `quotaExceeded`."""
        return GoogleError(code, f"The emulator was told to answer {code}.", retry_after=retry_after).response()

    # Control

    def add_token(self, command: Mapping[str, Any]) -> None:
        """Creates an unknown channel."""
        account = str(required(command, "account"))
        if self._google.oauth.account(account) is None:
            self._google.oauth.add_account(Account(account, f"Канал {account}"))
        super().add_token(command)
