"""MAX: the Bot API at /max, upload servers at /max-upload, pages of channels at /max-web. From platforms/max.md."""

import zlib
from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, abort, jsonify, render_template

from sandbox.commands import BadCommand, parse_command, required
from sandbox.emulator import Emulator
from sandbox.max.api import Api
from sandbox.max.chats import Channels, Chat
from sandbox.max.errors import of_code, of_status, upload_error
from sandbox.max.upload import Upload
from sandbox.state import State, Token, Video

DEMO_TOKEN = "vezde-max-demo-bot"
CHAT_FIELDS = {"id", "title", "link", "type", "members"}
MEMBER_FIELDS = ("status", "is_owner", "is_admin", "permissions")


class Max(Emulator):
    key = "max"
    name = "MAX"
    prefixes = ("max", "max-upload", "max-web")
    publishing = r"POST /max/messages$"
    uploading = r"POST /max-upload/"
    options: ClassVar = {
        "max_rate_limits": True,
        "max_max_mb": 250,
        "max_seconds_per_mb": 0.01,
        "max_chat_links": True,
        "max_refuses_videos": False,
    }

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._channels = Channels(state)
        self._upload = Upload(self)
        self._api = Api(self, self._channels, self._upload)

    def seed(self) -> None:
        self.add_token({"token": DEMO_TOKEN, "username": "vezde_demo_bot", "account": 7001})
        writer = {"status": "active", "is_admin": True, "permissions": ["write", "edit", "delete", "view_stats"]}
        self._channels.save(Chat(-71000000000001, "Везде — демо", "vezde_demo", members={"7001": writer}))
        self._channels.save(Chat(-71000000000002, "Только читать", "vezde_readonly"))
        self._channels.save(Chat(-71000000000003, "Закрытый канал", members={"7001": writer}))

    def account_label(self, video: Video) -> str:
        chat = self._channels.find(video.account)
        return chat.title if chat else video.account

    def shown_facts(self, video: Video) -> dict[str, Any]:
        """`text`: of the whole message, as it was sent."""
        return {"text": video.text, "notify": video.facts.get("notify")}

    def process(self, video: Video) -> None:
        """Large files take longer."""
        super().process(video)
        video.ready_at += self.option("seconds_per_mb") * video.bytes / 1_000_000
        self.state.save(video)

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("max", __name__)
        self._api.add_routes(blueprint)
        self._upload.add_routes(blueprint)
        blueprint.add_url_rule("/max-web/<link>", "channel", self._show_channel)
        blueprint.add_url_rule("/max-web/<link>/<mid>", "post", self._show_post)
        blueprint.add_url_rule("/control/channels", "add_channel", self._add_channel, methods=["POST"])
        return blueprint

    def _show_channel(self, link: str) -> str:
        chat = self._channels.find_by_link(link)
        if chat is None:
            abort(404)
        return render_template("owner.html", name=chat.title, posts=self._posts(chat))

    def _show_post(self, link: str, mid: str) -> str:
        chat = self._channels.find(link) or self._channels.find_by_link(link)
        video = next((one for one in self._posts(chat) if one.id == mid), None) if chat else None
        if video is None:
            abort(404)
        return render_template("watch.html", video=video)

    def _posts(self, chat: Chat) -> list[Video]:
        with self.state.lock:
            own = (self.key, str(chat.id))
            return [one for one in self.state.videos if one.published and (one.platform, one.account) == own]

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        if path.startswith("/max-upload"):
            return upload_error(status, retry_after)
        return of_status(status).response(retry_after)

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """A code of MAX's, `attachment.not.ready`; `not.owner`; `success:false`, with 200; or an HTTP status."""
        return of_code(code).response(retry_after)

    # Control

    def add_token(self, command: Mapping[str, Any]) -> None:
        """`command`: `token, username, account?` (the bot's number)."""
        token, username = required(command, "token"), required(command, "username")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise BadCommand("a bot's token goes into a header")
        account = str(command.get("account") or zlib.crc32(username.encode()))
        self.save_token(Token(self.key, token, account, facts={"username": username}))

    def expire(self, command: Mapping[str, Any]) -> None:
        raise BadCommand("a bot's token does not expire; revoke it")

    def rights(self, command: Mapping[str, Any]) -> None:
        """Sets what a bot (`token`; default: all bots) is in a channel (`account`): `status`, `is_owner`, `is_admin`,
        `permissions`.
        """
        account = str(required(command, "account"))
        chat = self._channels.find(account) or self._channels.find_by_link(account)
        if chat is None:
            raise BadCommand(f"there is no channel {account}")
        changes = {name: command[name] for name in MEMBER_FIELDS if name in command}
        if not changes:
            raise BadCommand(f"one of {', '.join(MEMBER_FIELDS)} is needed")
        for bot in self.select_tokens({"token": command["token"]}) if "token" in command else self.list_tokens():
            chat.members[bot.account] = {"status": "active", **chat.members.get(bot.account, {}), **changes}
        self._channels.save(chat)

    def _add_channel(self) -> Response:
        """`command`: `id, title, link?, type?, members?`. Replaces a known one; its messages stay."""
        command = parse_command()
        if set(command) - CHAT_FIELDS or not isinstance(command.get("id"), int):
            raise BadCommand(f"a channel has {', '.join(sorted(CHAT_FIELDS))}, and its id is a number")
        required(command, "title")
        self._channels.save(Chat(**command))
        return jsonify(ok=True)
