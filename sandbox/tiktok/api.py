"""TikTok's API: https://developers.tiktok.com/doc/content-posting-api-reference-direct-post"""

import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, avatar_url, external_url, json_response
from sandbox.oauth import OAuth
from sandbox.state import Token, Video
from sandbox.tiktok.errors import TikTokError, envelope
from sandbox.tiktok.posts import DAY, DIRECT, INBOX, SELF_ONLY, Posts
from sandbox.tiktok.upload import PATH, Upload, checked_source

MAX_TITLE = 2200
"""UTF-16 units."""
MAX_IDS = 20
MAX_PENDING = 5
UNAUDITED_USERS = 5
LEVELS = {"PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR", SELF_ONLY}
FLAGS = {
    *("disable_comment", "disable_duet", "disable_stitch"),
    *("brand_content_toggle", "brand_organic_toggle", "is_aigc"),
}
USER_FIELDS = {
    "user.info.basic": {"open_id", "union_id", "avatar_url", "avatar_url_100", "avatar_large_url", "display_name"},
    "user.info.profile": {"bio_description", "profile_deep_link", "is_verified", "username"},
    "user.info.stats": {"follower_count", "following_count", "likes_count", "video_count"},
}
VIDEO_FIELDS = {
    *("id", "create_time", "cover_image_url", "share_url", "video_description", "duration", "height", "width"),
    *("title", "embed_html", "embed_link", "like_count", "comment_count", "share_count", "view_count"),
}


class Api:
    def __init__(self, emulator: Emulator, posts: Posts, oauth: OAuth) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._posts = posts
        self._oauth = oauth
        self._upload = Upload(emulator, posts)

    def add_routes(self, blueprint: Blueprint) -> None:
        """Each with its scopes, one of which is enough, and how many calls a minute a token may make."""
        for rule, scopes, limit, handler in (
            ("GET user/info", ("user.info.basic",), 600, self._user),
            ("POST post/publish/creator_info/query", ("video.publish",), 20, self._creator),
            ("POST post/publish/video/init", ("video.publish",), 6, self._init_direct),
            ("POST post/publish/inbox/video/init", ("video.upload",), 6, self._init_inbox),
            ("POST post/publish/status/fetch", ("video.publish", "video.upload"), 30, self._status),
            ("POST video/query", ("video.list",), 600, self._query),
        ):
            method, path = rule.split()
            view = self._authorized(path, scopes, limit, handler)
            blueprint.add_url_rule(f"/tiktok/v2/{path}/", path.replace("/", "-"), view, methods=[method])
        blueprint.add_url_rule(PATH, "send", _return_errors(self._upload.send), methods=["PUT"])

    def _authorized(
        self, path: str, scopes: tuple[str, ...], limit: int, handler: Callable[[Token], Any]
    ) -> Callable[[], Response]:
        def view() -> Any:
            token = self._emulator.authorized("Bearer")
            if token is None:
                raise TikTokError("access_token_invalid", "The access token is invalid or not found in the request.")
            if not set(scopes) & set(token.scopes):
                raise TikTokError(
                    "scope_not_authorized", f"The user did not authorize the scope {' or '.join(scopes)}."
                )
            window = (f"tiktok {path} {token.token}", limit, 60.0)
            if self._emulator.rate_limited and self._state.rate_limits.hit(window):
                raise TikTokError("rate_limit_exceeded", "The API rate limit was exceeded. Please try again later.")
            return handler(token)

        return _return_errors(view)

    # Users

    def _user(self, token: Token) -> dict[str, Any]:
        account = self._oauth.account(token.account)
        known = {"open_id": account.id, "avatar_url": avatar_url(account.name), "display_name": account.name}
        fields = _fields(set().union(*USER_FIELDS.values()))
        allowed = set().union(*(names for scope, names in USER_FIELDS.items() if scope in token.scopes))
        if fields - allowed:
            raise TikTokError("scope_not_authorized", "The user did not authorize the scope required for these fields.")
        return {"user": {name: known.get(name) for name in fields}}

    def _creator(self, token: Token) -> dict[str, Any]:
        """With HTTP 200 too it may be a refusal."""
        if (code := self._emulator.option("spam_risk")) or (code := self._spam(token)):
            raise TikTokError(code, "The creator cannot post at this moment.", status=200)
        account, option = self._oauth.account(token.account), self._emulator.option
        return {
            "creator_avatar_url": avatar_url(account.name),
            "creator_username": self._emulator.username(account.id),
            "creator_nickname": account.name,
            "privacy_level_options": self._posts.levels(),
            "comment_disabled": option("comment_disabled"),
            "duet_disabled": option("duet_disabled"),
            "stitch_disabled": option("stitch_disabled"),
            "max_video_post_duration_sec": option("max_seconds"),
        }

    def _spam(self, token: Token) -> str:
        limit = self._emulator.option("daily_posts")
        mine = [one for one in self._posts.began_since(time.time() - DAY) if one.account == token.account]
        posted = [one for one in mine if one.published and one.facts["way"] == DIRECT]
        return "spam_risk_too_many_posts" if limit and len(posted) >= limit else ""

    # Posting

    def _init_direct(self, token: Token) -> dict[str, str]:
        body = _body({"post_info", "source_info"})
        post = _checked_post(body.get("post_info"))
        if "video_cover_timestamp_ms" in post and not self._emulator.option("takes_covers"):
            raise TikTokError("invalid_params", "video_cover_timestamp_ms is not within the video")
        source = checked_source(body.get("source_info"))
        self._check_client(token, post["privacy_level"])
        if code := self._spam(token):
            raise TikTokError(code, "The daily post cap from the API is reached for the current user.")
        if post["privacy_level"] not in self._posts.levels():
            raise TikTokError("privacy_level_option_mismatch", "privacy_level is not among the creator's options.")
        return self._upload.begin(token.account, DIRECT, post, source)

    def _check_client(self, token: Token, privacy: str) -> None:
        unaudited = self._emulator.option("unaudited")
        limit = self._emulator.option("daily_users") or (UNAUDITED_USERS if unaudited else 0)
        since = self._posts.began_since(time.time() - DAY)
        active = {one.account for one in since if one.facts["way"] == DIRECT} - {token.account}
        if limit and len(active) >= limit:
            raise TikTokError("reached_active_user_cap", "The daily quota for active publishing users is reached.")
        if unaudited and (privacy != SELF_ONLY or not self._emulator.option("private")):
            raise TikTokError(
                "unaudited_client_can_only_post_to_private_accounts",
                "Unaudited clients can only post to a private account, with SELF_ONLY.",
            )

    def _init_inbox(self, token: Token) -> dict[str, str]:
        body = _body({"source_info"})
        source = checked_source(body.get("source_info"))
        if len(self._posts.pending(token.account)) >= MAX_PENDING:
            raise TikTokError("spam_risk_too_many_pending_share", "There may be at most 5 pending shares in 24 hours.")
        return self._upload.begin(token.account, INBOX, {}, source)

    def _status(self, token: Token) -> dict[str, Any]:
        body = _body({"publish_id"})
        video = self._state.videos.get(str(body.get("publish_id")))
        if video is None or video.platform != "tiktok":
            raise TikTokError("invalid_publish_id", "The publish_id does not exist.")
        if video.account != token.account:
            raise TikTokError(
                "token_not_authorized_for_specified_publish_id", "The token is another user's.", status=401
            )
        return self._posts.status(video)

    # Videos

    def _query(self, token: Token) -> dict[str, Any]:
        fields = _fields(VIDEO_FIELDS)
        filters = _body({"filters"}).get("filters")
        ids = filters.get("video_ids") if isinstance(filters, dict) else None
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids) or not 0 < len(ids) <= MAX_IDS:
            raise TikTokError("invalid_params", f"video_ids is a list of 1 to {MAX_IDS} strings")
        mine = {one.id: one for one in self._posts.of(token.account) if one.visible}
        return {"videos": [_shown(mine[one], fields) for one in dict.fromkeys(ids) if one in mine]}


def _shown(video: Video, fields: set[str]) -> dict[str, Any]:
    counts = {"view_count": video.views, "like_count": video.likes, "comment_count": 0, "share_count": video.shares}
    known = {
        "id": video.id,
        "title": video.title,
        "video_description": video.title,
        "share_url": external_url(video.url),
        **{name: count for name, count in counts.items() if count is not None},
    }
    return {name: known[name] for name in fields if name in known}


def _fields(known: set[str]) -> set[str]:
    fields = set(filter(None, request.args.get("fields", "").split(",")))
    if not fields or fields - known:
        raise TikTokError("invalid_params", f"fields: {', '.join(sorted(fields - known)) or 'none'}")
    return fields


def _body(known: set[str]) -> dict[str, Any]:
    body = request.get_json(silent=True) if request.is_json else None
    if not isinstance(body, dict) or body.keys() - known:
        raise TikTokError("invalid_params", f"The body is JSON with {', '.join(sorted(known))}")
    return body


def _checked_post(post: Any) -> dict[str, Any]:
    """Raises TikTokError."""
    if not isinstance(post, dict) or post.keys() - {"title", "privacy_level", "video_cover_timestamp_ms"} - FLAGS:
        raise TikTokError("invalid_params", "post_info is not an object of known fields")
    title = post.get("title", "")
    if not isinstance(title, str) or len(title.encode("utf-16-le", "surrogatepass")) // 2 > MAX_TITLE:
        raise TikTokError("invalid_params", f"title is a text of at most {MAX_TITLE} UTF-16 units")
    if post.get("privacy_level") not in LEVELS:
        raise TikTokError("invalid_params", f"privacy_level is one of {', '.join(sorted(LEVELS))}")
    if not all(isinstance(post.get(name, False), bool) for name in FLAGS):
        raise TikTokError("invalid_params", "The toggles are true or false")
    if type(post.get("video_cover_timestamp_ms", 0)) is not int:
        raise TikTokError("invalid_params", "video_cover_timestamp_ms is a number")
    if post.get("brand_content_toggle") and post["privacy_level"] == SELF_ONLY:
        raise TikTokError("invalid_params", "Branded content cannot be SELF_ONLY")
    return post


def _return_errors(handler: Callable[[], Any]) -> Callable[[], Response]:
    def view() -> Response:
        try:
            answer = handler()
        except TikTokError as error:
            return error.response()
        return answer if isinstance(answer, Response) else json_response(envelope(answer))

    return view
