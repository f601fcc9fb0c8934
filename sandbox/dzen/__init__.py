"""Дзен: Yandex OAuth below /yandex-oauth and /yandex-login, the assumed partner API below /dzen (platforms/dzen.md)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, abort, render_template

from sandbox.commands import required
from sandbox.dzen.publisher import Publisher, Refusal
from sandbox.dzen.yandex import Yandex
from sandbox.emulator import RETRY_AFTER, Emulator, answer, phrase
from sandbox.oauth import Account
from sandbox.state import Video, World

WORDS = {401: "unauthorized", 403: "forbidden", 409: "conflict", 413: "too_large", 429: "too_many_requests"}
"""The codes are assumed, as the whole contract is."""


class Dzen(Emulator):
    key = "dzen"
    name = "Дзен"
    prefixes = ("dzen", "yandex-oauth", "yandex-login", "yandex-avatars")
    publishing = r"POST /dzen/publisher/videos/\w+/publish$"
    uploading = r"PUT /dzen/upload/"
    options: ClassVar = {
        "dzen_rate_limits": False,
        "dzen_max_mb": 2000,
        "yandex_scopes": None,
        "yandex_client_secret": "",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._yandex = Yandex(self)
        self._publisher = Publisher(self)

    def seed(self) -> None:
        self._yandex.oauth.add_account(Account("1130000001", "Ирина Волкова", "irina.volkova"))
        self._yandex.oauth.add_account(Account("1130000002", "Студия «Берег»", "bereg.studio"))

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("dzen", __name__)
        self._yandex.add_routes(blueprint)
        self._publisher.add_routes(blueprint)
        blueprint.add_url_rule("/dzen/shorts/<number>", "shorts", self._show)
        blueprint.add_url_rule("/dzen/video/watch/<number>", "watch", self._show)
        return blueprint

    def _show(self, number: str) -> str:
        video = self._publisher.find(number)
        if video is None or not video.visible:
            abort(404)
        return render_template("watch.html", video=video)

    def settle(self) -> None:
        self._publisher.settle()

    def place(self, video: Video) -> str:
        account = self._yandex.oauth.account(video.account)
        return account.name if account else video.account

    def state(self, draft: Video) -> str:
        if draft.facts["rejected"]:
            return "не прошёл модерацию"
        if draft.sha256 is not None and draft.facts["uploaded"] and draft.ready_at is None:
            return "загружен, но не опубликован"
        return super().state(draft)

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        if not path.startswith("/dzen/"):
            said = {"error": "server_error", "error_description": phrase(status)}
            return answer(said, status, retry_after)
        retry_after = retry_after or (RETRY_AFTER if status == 429 else None)
        return Refusal(status, WORDS.get(status, "error"), phrase(status), retry_after).response()

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """At Yandex `invalid_grant`; at Дзен an HTTP status, or a code of a 400."""
        if not path.startswith("/dzen/"):
            return answer({"error": code, "error_description": phrase(400)}, 400, retry_after)
        if code.isdigit():
            return self.status(path, int(code), retry_after)
        return Refusal(400, code, phrase(400), retry_after).response()

    # Control

    def add_token(self, order: Mapping[str, Any]) -> None:
        """A Yandex token: `scopes` as Yandex calls them. Who is not known yet comes to be."""
        account = str(required(order, "account"))
        if self._yandex.oauth.account(account) is None:
            self._yandex.oauth.add_account(Account(account, f"Автор {account}", f"author.{account}"))
        super().add_token(order)
