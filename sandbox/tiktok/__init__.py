"""TikTok: its OAuth page at /tiktok-auth, the API at /tiktok, uploads at /tiktok-upload (platforms/tiktok.md).

Its pages are at /tiktok-web: profiles, clips, and the inbox where creators finish what was sent to them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Blueprint, Response, abort, redirect, render_template, request

from sandbox.commands import required
from sandbox.emulator import RETRY_AFTER, Emulator, reason_phrase
from sandbox.oauth import Account
from sandbox.state import State, Video
from sandbox.tiktok.access import SCOPES, Access
from sandbox.tiktok.api import Api
from sandbox.tiktok.errors import TikTokError, oauth_error, of_status
from sandbox.tiktok.posts import Posts
from sandbox.tiktok.upload import PATH

DEMO_TOKEN = "act.vezde-demo"
CREATORS = (
    Account("tt_volga_0001", "Волжские закаты", "@volga"),
    Account("tt_bereg_0002", "Студия «Берег»", "@bereg"),
)


class TikTok(Emulator):
    key = "tiktok"
    name = "TikTok"
    prefixes = ("tiktok", "tiktok-auth", "tiktok-upload", "tiktok-web")
    publishing = uploading = rf"PUT {PATH}$"
    options: ClassVar = {
        "tiktok_rate_limits": True,
        "tiktok_unaudited": False,
        "tiktok_private": False,
        "tiktok_daily_users": 0,
        "tiktok_daily_posts": 0,
        "tiktok_spam_risk": "",
        "tiktok_moderation_seconds": 0,
        "tiktok_fail_reason": "",
        "tiktok_checks_media": True,
        "tiktok_takes_covers": True,
        "tiktok_upload_seconds": 3600,
        "tiktok_counts_bytes": True,
        "tiktok_privacy_levels": None,
        "tiktok_comment_disabled": False,
        "tiktok_duet_disabled": False,
        "tiktok_stitch_disabled": False,
        "tiktok_max_seconds": 600,
        "tiktok_scopes": None,
        "tiktok_client_secret": "",
    }

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._access = Access(self)
        self._posts = Posts(self)
        self._api = Api(self, self._posts, self._access.oauth)

    def seed(self) -> None:
        for creator in CREATORS:
            self._access.oauth.add_account(creator)
        self.add_token({"token": DEMO_TOKEN, "account": CREATORS[0].id, "scopes": list(SCOPES)})

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("tiktok", __name__)
        self._access.add_routes(blueprint)
        self._api.add_routes(blueprint)
        blueprint.add_url_rule("/tiktok-web/@<username>", "creator", self._show_creator)
        blueprint.add_url_rule("/tiktok-web/@<username>/video/<number>", "video", self._show)
        blueprint.add_url_rule("/tiktok-web", "home", lambda: redirect("/tiktok-web/inbox"))
        blueprint.add_url_rule("/tiktok-web/inbox", "inbox", self._show_inbox)
        blueprint.add_url_rule("/tiktok-web/inbox", "finish", self._finish, methods=["POST"])
        blueprint.add_url_rule("/tiktok-web/moderate", "moderate", self._moderate, methods=["POST"])
        return blueprint

    def username(self, account: str) -> str:
        creator = self._access.oauth.account(account)
        return creator.login.removeprefix("@") if creator else account

    # Pages

    def _show(self, username: str, number: str) -> str:
        mine = (one for one in self._posts.all() if one.id == number and self.username(one.account) == username)
        video = next(mine, None)
        if video is None or not video.visible:
            abort(404)
        return render_template("watch.html", video=video)

    def _show_creator(self, username: str) -> str:
        mine = [one for one in self._posts.all() if self.username(one.account) == username and one.visible]
        return render_template("owner.html", name=f"@{username}", posts=mine)

    def _show_inbox(self) -> str:
        return render_template("tiktok/inbox.html", drafts=self._delivered(), levels=self._posts.levels())

    def _finish(self) -> Response:
        """What the creator does in the app: a title, who may see it, «Опубликовать»."""
        video = next((one for one in self._delivered() if one.key == request.form.get("publish_id")), None)
        if video is None or request.form.get("privacy_level") not in self._posts.levels():
            abort(400)
        video.title = request.form.get("title", "")
        video.facts["post_info"] = {"title": video.title, "privacy_level": request.form["privacy_level"]}
        self._posts.publish(video)
        return redirect("/tiktok-web/inbox", 303)

    def _moderate(self) -> Response:
        """Ends the moderation of all that waits for it."""
        self._posts.end_moderation()
        return redirect("/", 303)

    def _delivered(self) -> list[Video]:
        return [one for one in self._posts.all() if one.facts["delivered"] and not one.published]

    def advance(self) -> None:
        self._posts.advance()

    def account_label(self, video: Video) -> str:
        creator = self._access.oauth.account(video.account)
        return creator.name if creator else video.account

    def shown_facts(self, video: Video) -> dict[str, Any]:
        """`post_info` as it was sent, `way`: direct or inbox, and the creator's numbers of chunks."""
        return {name: video.facts[name] for name in ("post_info", "way", "chunk_size", "chunks")}

    def draft_status(self, draft: Video) -> str:
        if draft.facts["fail_reason"]:
            return f"отклонён: {draft.facts['fail_reason']}"
        if draft.facts["delivered"]:
            return "во «Входящих»: /tiktok-web/inbox"
        return super().draft_status(draft)

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        if path.startswith("/tiktok/v2/oauth/"):
            return oauth_error("server_error", reason_phrase(status), status, retry_after)
        return of_status(status, retry_after or (RETRY_AFTER if status == 429 else None))

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """One of TikTok's codes, such as `spam_risk_text`; at the OAuth addresses one of OAuth's."""
        if path.startswith("/tiktok/v2/oauth/"):
            return oauth_error(code, f"The emulator was told to answer {code}.", retry_after=retry_after)
        return TikTokError(code, f"The emulator was told to answer {code}.", retry_after=retry_after).response()

    # Control

    def add_token(self, command: Mapping[str, Any]) -> None:
        """Creates an unknown creator."""
        account = str(required(command, "account"))
        if self._access.oauth.account(account) is None:
            self._access.oauth.add_account(Account(account, f"Автор {account}", f"@{account}"))
        super().add_token(command)
