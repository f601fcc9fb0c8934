"""OK (Одноклассники): OAuth at /ok-auth and /ok-api/oauth, the API and its upload server at /ok-api, pages at /ok-web.

From platforms/ok.md.
"""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs

from flask import Blueprint, Response, abort, render_template

from sandbox.commands import BadCommand, parse_command, required
from sandbox.emulator import Emulator, json_response, reason_phrase
from sandbox.oauth import Account
from sandbox.ok.api import Api
from sandbox.ok.connect import SCOPES, Connect
from sandbox.ok.errors import ApiError
from sandbox.ok.groups import Group, Groups
from sandbox.ok.topics import Topics
from sandbox.ok.videos import Videos
from sandbox.state import State, Token, Video

DEMO_TOKEN = "-n-vezde-demo"
GROUPS = (
    Group("53010000000001", "Волжские закаты", {"1": ["ADMIN", ""], "2": ["MODERATOR", "EDITOR"]}),
    Group("53010000000002", "Студия «Берег»", {"1": ["MODERATOR", "EDITOR"]}),
    Group("53010000000003", "Только читать", {"1": ["ACTIVE", ""], "3": ["ACTIVE", ""]}),
)
FIELDS = ("post_form", "privacy", "topic")
BY_STATUS = {400: 100, 401: 103, 403: 10, 404: 3, 429: 11, 500: 1, 502: 2, 503: 2, 504: 2}


class Ok(Emulator):
    key = "ok"
    name = "OK"
    prefixes = ("ok-auth", "ok-api", "ok-web")
    publishing = r" /ok-api/fb\.do\?method=(video\.update|mediatopic\.post)$"
    uploading = r"POST /ok-api/upload/"
    options: ClassVar = {
        "ok_rate_limits": True,
        "ok_client_id": "512000000001",
        "ok_public_key": "CVEZDEDEMOBABABA",
        "ok_client_secret": "vezde-demo-secret",
        "ok_scopes": None,
        "ok_rotates_refresh": False,
        "ok_upload_again": True,
        "ok_empty_answer": "null",
        "ok_tells_more": True,
    }

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._connect = Connect(self)
        self._groups = Groups(state)
        self._videos = Videos(self, self._groups)
        self._topics = Topics(self, self._videos)
        self._api = Api(self, self._connect.oauth, self._groups, self._videos, self._topics)

    def seed(self) -> None:
        for account in (Account("1", "Вера Демидова"), Account("2", "Олег Второв"), Account("3", "Зритель без групп")):
            self._connect.oauth.add_account(account)
        for group in GROUPS:
            self._groups.save(Group(group.id, group.name, dict(group.members)))
        self.add_token({"token": DEMO_TOKEN, "account": "1", "scopes": list(SCOPES)})

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("ok", __name__)
        for routes in (self._connect, self._api, self._videos):
            routes.add_routes(blueprint)
        blueprint.add_url_rule("/ok-web/video/<number>", "video", self._show_video)
        blueprint.add_url_rule("/ok-web/group/<group>/topic/<number>", "topic", self._show_topic)
        blueprint.add_url_rule("/ok-web/group/<group>", "group", self._show_group)
        blueprint.add_url_rule("/control/topics", view_func=self._add_topics, methods=["POST"])
        return blueprint

    def call_name(self, path: str, query: str) -> str:
        method = parse_qs(query).get("method", [""])[0] if path == "/ok-api/fb.do" else ""
        return f"{path}?method={method}" if method else path

    def account_label(self, video: Video) -> str:
        group = self._groups.find(video.account)
        return group.name if group else video.account

    def draft_status(self, draft: Video) -> str:
        return "загружен, но не показан" if draft.sha256 and draft.bytes else super().draft_status(draft)

    def shown_facts(self, video: Video) -> dict[str, Any]:
        return {name: video.facts.get(name) for name in FIELDS}

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        """Errors of the API come with HTTP 200: this is a server in front of it, in the format of its errors."""
        if "/oauth/" in path:
            return json_response({"error": "server_error", "error_description": reason_phrase(status)}, status)
        return ApiError(BY_STATUS.get(status, 1), reason_phrase(status)).response(status, retry_after)

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """A code such as `104`, or the text of a 100 such as `FileToSmall`. OAuth: a code such as `invalid_grant`."""
        if "/oauth/" in path:
            return json_response({"error": code, "error_description": reason_phrase(400)}, 400, retry_after)
        error = ApiError(int(code)) if code.isdigit() else ApiError(100, code)
        return error.response(retry_after=retry_after)

    # Pages

    def _show_video(self, number: str) -> str:
        return self._watch(self._videos.find(number))

    def _show_topic(self, group: str, number: str) -> str:
        topic = self._topics.find(number)
        if topic is None or topic.group != group or not topic.movies:
            abort(404)
        return self._watch(self._videos.find(topic.movies[0]))

    def _watch(self, video: Video | None) -> str:
        if video is None or not video.visible:
            abort(404)
        return render_template("watch.html", video=video)

    def _show_group(self, group: str) -> str:
        found = self._groups.find(group)
        if found is None:
            abort(404)
        posts = [one for one in self.state.videos if (one.platform, one.account) == ("ok", group) and one.visible]
        return render_template("owner.html", name=found.name, posts=posts[::-1])

    # Control

    def add_token(self, command: Mapping[str, Any]) -> None:
        """Creates an unknown user."""
        account = str(required(command, "account"))
        if self._connect.oauth.account(account) is None:
            self._connect.oauth.add_account(Account(account, f"Пользователь {account}"))
        super().add_token(command)

    def select_tokens(self, command: Mapping[str, Any]) -> list[Token]:
        """`account`: a user, or a group: then the tokens of those who may post there."""
        group = self._groups.find(str(command.get("account", "")))
        if group is None or "token" in command:
            return super().select_tokens(command)
        found = [token for token in self.list_tokens() if group.may_post(token.account)]
        if not found:
            raise BadCommand(f"nobody with a token may post in {group.id}")
        return found

    def rights(self, command: Mapping[str, Any]) -> None:
        """Sets `scopes` of tokens, or what a user is in a group: `{account: "1", group: "…", status: "ACTIVE", role?}`.

        An unknown group is created.
        """
        if "group" not in command:
            return super().rights(command)
        number = str(command["group"])
        if self._groups.find(number) is None:
            self._groups.save(Group(number, f"Группа {number}"))
        account, status = str(required(command, "account")), required(command, "status")
        return self._groups.set_member(number, account, status, command.get("role", ""))

    def _add_topics(self) -> Response:
        """`command`: `group, count?, age?, sticky?`. Adds other topics, `age` seconds old."""
        command = parse_command()
        group, count, age = str(required(command, "group")), command.get("count", 1), command.get("age", 0)
        if self._groups.find(group) is None or not isinstance(count, int) or not isinstance(age, int | float):
            raise BadCommand("a group that is known; count and age are numbers")
        for _ in range(count):
            self._topics.add(group, "1", "Другая тема", [], age=age, sticky=bool(command.get("sticky")))
        return json_response({"ok": True})
