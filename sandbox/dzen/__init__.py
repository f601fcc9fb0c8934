"""Дзен: Yandex OAuth at /yandex-oauth and /yandex-login, the assumed partner API at /dzen (platforms/dzen.md)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, abort, render_template

from sandbox.commands import required
from sandbox.dzen.publisher import ApiError, Publisher
from sandbox.dzen.yandex import Yandex
from sandbox.emulator import RETRY_AFTER, Emulator, json_response, reason_phrase
from sandbox.oauth import Account
from sandbox.state import State, Video

ERROR_CODES = {401: "unauthorized", 403: "forbidden", 409: "conflict", 413: "too_large", 429: "too_many_requests"}
"""Assumed, as the whole contract."""


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

    def __init__(self, state: State) -> None:
        super().__init__(state)
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

    def advance(self) -> None:
        self._publisher.advance()

    def account_label(self, video: Video) -> str:
        account = self._yandex.oauth.account(video.account)
        return account.name if account else video.account

    def draft_status(self, draft: Video) -> str:
        if draft.facts["rejected"]:
            return "не прошёл модерацию"
        if draft.sha256 is not None and draft.facts["uploaded"] and draft.ready_at is None:
            return "загружен, но не опубликован"
        return super().draft_status(draft)

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        if not path.startswith("/dzen/"):
            body = {"error": "server_error", "error_description": reason_phrase(status)}
            return json_response(body, status, retry_after)
        retry_after = retry_after or (RETRY_AFTER if status == 429 else None)
        return ApiError(status, ERROR_CODES.get(status, "error"), reason_phrase(status), retry_after).response()

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """Yandex: an OAuth code such as `invalid_grant`. Дзен: an HTTP status, or the code of a 400."""
        if not path.startswith("/dzen/"):
            return json_response({"error": code, "error_description": reason_phrase(400)}, 400, retry_after)
        if code.isdigit():
            return self.status(path, int(code), retry_after)
        return ApiError(400, code, reason_phrase(400), retry_after).response()

    # Control

    def add_token(self, command: Mapping[str, Any]) -> None:
        """Adds a Yandex token with Yandex `scopes`. Creates an unknown account."""
        account = str(required(command, "account"))
        if self._yandex.oauth.account(account) is None:
            self._yandex.oauth.add_account(Account(account, f"Автор {account}", f"author.{account}"))
        super().add_token(command)
