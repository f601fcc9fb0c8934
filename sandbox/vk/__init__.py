"""VK: VK ID below /vk-id, the API and its upload servers below /vk-api, pages below /vk. From platforms/vk.md."""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response

from sandbox.commands import BadOrder, posted, required
from sandbox.emulator import Emulator, answer, phrase
from sandbox.oauth import Account
from sandbox.state import Video, World
from sandbox.vk.api import Api
from sandbox.vk.communities import Communities, Community
from sandbox.vk.errors import Refusal, UploadRefusal, id_refusal
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

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._vk_id = VkId(self)
        self._communities = Communities(world)
        wall = Wall(self, self._communities)
        self._wall = wall
        videos = Videos(self, self._communities, wall)
        self._api = Api(self, self._vk_id.oauth, self._communities, videos, wall)
        self._upload = Upload(self, wall)

    def seed(self) -> None:
        self._vk_id.oauth.add_account(Account("1", "Вера Демидова"))
        self._vk_id.oauth.add_account(Account("2", "Олег Второв"))
        self._communities.keep(Community(101, "Везде — демо", "vezde_demo", {"1": "editor", "2": "administrator"}))
        self._communities.keep(Community(102, "Только читать", "vezde_readonly", {"1": "member"}))
        self.add_token({"token": DEMO_TOKEN, "account": "1", "scopes": "video,wall,groups,offline"})

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("vk", __name__)
        for part in (self._vk_id, self._api, self._upload, Web(self.world, self._owner)):
            part.add_routes(blueprint)
        blueprint.add_url_rule("/control/wall", view_func=self._add_posts, methods=["POST"])
        return blueprint

    def place(self, video: Video) -> str:
        return self._owner(int(video.account)) or video.account

    def _owner(self, number: int) -> str | None:
        """A user's name, or with a negative number a community's."""
        known = self._communities.find(-number) if number < 0 else self._vk_id.oauth.account(str(number))
        return known and known.name

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        """Not by the vendor's page: it names no shape for an HTTP status, so it is that of the errors."""
        if path.startswith("/vk-id/"):
            return id_refusal("server_error", phrase(status), status=status, retry_after=retry_after)
        if path.startswith("/vk-api/upload/"):
            return UploadRefusal("ERR_UPLOAD", phrase(status)).response(status, retry_after)
        code = {429: 6, 404: 3}.get(status, 10 if status >= 500 else 1)
        return Refusal(code).response([], status, retry_after)

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """`6`; at the upload servers `22` too; at VK ID `invalid_grant`."""
        if path.startswith("/vk-id/"):
            return id_refusal(code, phrase(400), retry_after=retry_after)
        number = int(code) if code.isdigit() else 1
        if path.startswith("/vk-api/upload/"):
            return UploadRefusal(code, Refusal(number).text, number).response(retry_after=retry_after)
        return Refusal(number, "" if code.isdigit() else code).response([], retry_after=retry_after)

    # Control

    def add_token(self, order: Mapping[str, Any]) -> None:
        """`account` is a user's number, or a community's with a minus. Who is not known yet comes to be."""
        account = str(required(order, "account"))
        if not account.removeprefix("-").isdigit():
            raise BadOrder("a VK account is a number, a community's is negative")
        number = int(account)
        if number < 0 and self._communities.find(-number) is None:
            self._communities.keep(Community(-number, f"Сообщество {-number}", f"club{-number}"))
        elif number > 0 and self._vk_id.oauth.account(account) is None:
            self._vk_id.oauth.add_account(Account(account, f"Пользователь {account}"))
        super().add_token(order)

    def _add_posts(self) -> Response:
        """`owner, count?, age?, pinned?`: that many posts of others' business, `age` seconds old. One may be pinned."""
        order = posted()
        owner, count, age = required(order, "owner"), order.get("count", 1), order.get("age", 0)
        if not all(isinstance(number, int) for number in (owner, count)) or not isinstance(age, int | float):
            raise BadOrder("owner, count and age are numbers")
        for _ in range(count):
            self._wall.put(owner, owner, "Другая запись", [], age=age, pinned=bool(order.get("pinned")))
        return answer({"ok": True})

    def rights(self, order: Mapping[str, Any]) -> None:
        """`scopes` of tokens; or a user's `role` in a community: `{account: "1", community: 101, role: "member"}`."""
        if "community" not in order:
            return super().rights(order)
        community = self._communities.find(order["community"])
        if community is None:
            raise BadOrder(f"there is no community {order['community']!r}")
        return self._communities.give(community, str(required(order, "account")), required(order, "role"))
