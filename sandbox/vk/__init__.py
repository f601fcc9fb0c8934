"""VK: VK ID at /vk-id, the API and its upload servers at /vk-api, pages at /vk. From platforms/vk.md."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response

from sandbox.commands import BadCommand, parse_command, required
from sandbox.emulator import Emulator, json_response, reason_phrase
from sandbox.oauth import Account
from sandbox.state import State, Video
from sandbox.vk.api import Api
from sandbox.vk.communities import Communities, Community
from sandbox.vk.errors import ApiError, UploadError, id_error
from sandbox.vk.upload import Upload
from sandbox.vk.videos import Videos
from sandbox.vk.vk_id import VkId
from sandbox.vk.wall import Wall
from sandbox.vk.web import Web

DEMO_TOKEN = "vk1.a.vezde-demo"


class Vk(Emulator):
    key = "vk"
    name = "VK"
    prefixes = ("vk-id", "vk-api")
    publishing = r" /vk-api/method/(shortVideo\.publish|wall\.post)$"
    uploading = r" /vk-api/upload/"
    options: ClassVar = {
        "vk_rate_limits": True,
        "vk_max_mb": 2000,
        "vk_clips_route": True,
        "vk_clip_posts": True,
        "vk_clip_attachments": False,
        "vk_guid": True,
        "vk_may_publish": True,
        "vk_scopes": None,
        "vk_callback_payload": False,
    }

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._vk_id = VkId(self)
        self._communities = Communities(state)
        wall = Wall(self, self._communities)
        self._wall = wall
        videos = Videos(self, self._communities, wall)
        self._api = Api(self, self._vk_id.oauth, self._communities, videos, wall)
        self._upload = Upload(self, wall)

    def seed(self) -> None:
        self._vk_id.oauth.add_account(Account("1", "Вера Демидова"))
        self._vk_id.oauth.add_account(Account("2", "Олег Второв"))
        self._communities.save(Community(101, "Везде — демо", "vezde_demo", {"1": "editor", "2": "administrator"}))
        self._communities.save(Community(102, "Только читать", "vezde_readonly", {"1": "member"}))
        self.add_token({"token": DEMO_TOKEN, "account": "1", "scopes": "video,wall,groups,offline"})

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("vk", __name__)
        for routes in (self._vk_id, self._api, self._upload, Web(self.state, self._owner_name)):
            routes.add_routes(blueprint)
        blueprint.add_url_rule("/control/wall", view_func=self._add_posts, methods=["POST"])
        return blueprint

    def account_label(self, video: Video) -> str:
        return self._owner_name(int(video.account)) or video.account

    def shown_facts(self, video: Video) -> dict[str, Any]:
        """`wall`: the post that holds it, and whether that takes comments."""
        post = self._wall.post_of(video)
        shown = {"id": post.id, "comments": not post.closed} if post else None
        return {"comments": video.facts.get("comments", True), "wall": shown}

    def notes(self, video: Video) -> list[str]:
        facts = self.shown_facts(video)
        wall = facts["wall"]
        notes = ["есть запись на стене" if wall else "без записи на стене"]
        if not facts["comments"]:
            notes.append("комментарии отключены")
        if wall and not wall["comments"]:
            notes.append("у записи комментарии отключены")
        return notes

    def _owner_name(self, number: int) -> str | None:
        """Returns a user's name, or a community's for a negative number."""
        owner = self._communities.find(-number) if number < 0 else self._vk_id.oauth.account(str(number))
        return owner and owner.name

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        """The vendor's page has no format for HTTP statuses: this is the format of its error codes."""
        if path.startswith("/vk-id/"):
            return id_error("server_error", reason_phrase(status), status=status, retry_after=retry_after)
        if path.startswith("/vk-api/upload/"):
            return UploadError("ERR_UPLOAD", reason_phrase(status)).response(status, retry_after)
        code = {429: 6, 404: 3}.get(status, 10 if status >= 500 else 1)
        return ApiError(code).response([], status, retry_after)

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """API: a code such as `6`. Upload servers: also `22`. VK ID: an OAuth code such as `invalid_grant`."""
        if path.startswith("/vk-id/"):
            return id_error(code, reason_phrase(400), retry_after=retry_after)
        number = int(code) if code.isdigit() else 1
        if path.startswith("/vk-api/upload/"):
            return UploadError(code, ApiError(number).text, number).response(retry_after=retry_after)
        return ApiError(number, "" if code.isdigit() else code).response([], retry_after=retry_after)

    # Control

    def add_token(self, command: Mapping[str, Any]) -> None:
        """`account`: a user's number, or a community's with a minus. Creates an unknown account."""
        account = str(required(command, "account"))
        if not account.removeprefix("-").isdigit():
            raise BadCommand("a VK account is a number, a community's is negative")
        number = int(account)
        if number < 0 and self._communities.find(-number) is None:
            self._communities.save(Community(-number, f"Сообщество {-number}", f"club{-number}"))
        elif number > 0 and self._vk_id.oauth.account(account) is None:
            self._vk_id.oauth.add_account(Account(account, f"Пользователь {account}"))
        super().add_token(command)

    def _add_posts(self) -> Response:
        """`command`: `owner, count?, age?, pinned?`. Adds other posts to a wall, `age` seconds old."""
        command = parse_command()
        owner, count, age = required(command, "owner"), command.get("count", 1), command.get("age", 0)
        if not all(isinstance(number, int) for number in (owner, count)) or not isinstance(age, int | float):
            raise BadCommand("owner, count and age are numbers")
        for _ in range(count):
            self._wall.add_post(owner, owner, "Другая запись", [], age=age, pinned=bool(command.get("pinned")))
        return json_response({"ok": True})

    def rights(self, command: Mapping[str, Any]) -> None:
        """Sets `scopes` of tokens, or a `role` in a community: `{account: "1", community: 101, role: "member"}`."""
        if "community" not in command:
            return super().rights(command)
        community = self._communities.find(command["community"])
        if community is None:
            raise BadCommand(f"there is no community {command['community']!r}")
        return self._communities.set_role(community, str(required(command, "account")), required(command, "role"))
