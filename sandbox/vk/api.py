"""The API's methods: authorization, scopes, rate limits. https://dev.vk.com/ru/api/api-requests"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, avatar_url, json_response, split_list
from sandbox.oauth import Account, OAuth
from sandbox.state import Token
from sandbox.vk.call import Call, raise_invalid
from sandbox.vk.communities import FILTERS, Communities, Community
from sandbox.vk.errors import ApiError
from sandbox.vk.videos import Videos
from sandbox.vk.wall import Wall

MAX_GROUPS = 500
"""https://dev.vk.com/ru/method/groups.getById"""
USER_RATE = (3, 1.0)
COMMUNITY_RATE = (20, 1.0)
"""Requests per seconds. https://dev.vk.com/ru/api/api-requests#Частотные ограничения"""


@dataclass(frozen=True)
class Method:
    """`scope`: the required scope of the token; `scope_error`: the error code without it."""

    handler: Callable[[Call], Any]
    scope: str | None = None
    scope_error: int = 15
    for_communities: bool = False
    publishes: bool = False


class Api:
    def __init__(self, emulator: Emulator, oauth: OAuth, communities: Communities, videos: Videos, wall: Wall) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._oauth = oauth
        self._communities = communities
        self._methods = {
            "users.get": Method(self._users_get, for_communities=True),
            "groups.getById": Method(self._groups_get_by_id, for_communities=True),
            "groups.get": Method(self._groups_get, "groups", scope_error=7),
            "video.save": Method(videos.save, "video", publishes=True),
            "video.get": Method(videos.get, "video"),
            "video.delete": Method(videos.delete, "video"),
            "shortVideo.create": Method(videos.create_clip, "video", publishes=True),
            "shortVideo.encodeProgress": Method(videos.encode_progress, "video"),
            "shortVideo.edit": Method(videos.edit_clip, "video", publishes=True),
            "shortVideo.publish": Method(videos.publish_clip, "video", publishes=True),
            "wall.post": Method(wall.post, "wall", for_communities=True, publishes=True),
            "wall.get": Method(wall.get),
            "wall.closeComments": Method(wall.close_comments, "wall", for_communities=True),
        }

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule(
            "/vk-api/method/<name>", "method", self._respond, methods=["GET", "POST"], provide_automatic_options=False
        )

    def _respond(self, name: str) -> Response:
        try:
            method = self._method(name)
            token = self._token()
            self._check(method, token)
            with self._state.lock:
                return json_response({"response": method.handler(Call(token, request.values.to_dict()))})
        except ApiError as error:
            return error.response(_request_params(name))

    def _method(self, name: str) -> Method:
        if not request.values.get("v"):
            raise ApiError(8, "v (version) is required")
        method = self._methods.get(name)
        if method is None or (name.startswith("shortVideo.") and not self._emulator.option("clips_route")):
            raise ApiError(3)
        return method

    def _token(self) -> Token:
        text = request.values.get("access_token") or request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not text:
            raise ApiError(5, instead="User authorization failed: no access_token passed.")
        token = self._emulator.find_token(text)
        if token is None or token.revoked:
            raise ApiError(5)
        if token.expired:
            raise ApiError(5, instead="User authorization failed: access_token has expired.")
        return token

    def _check(self, method: Method, token: Token) -> None:
        community = token.account.startswith("-")
        if self._emulator.rate_limited:
            rate = COMMUNITY_RATE if community else USER_RATE
            if self._state.rate_limits.hit((f"vk {token.token}", *rate)):
                raise ApiError(6)
        if community and not method.for_communities:
            raise ApiError(27)
        if method.publishes and not self._emulator.option("may_publish"):
            raise ApiError(1051)
        if method.scope is not None and method.scope not in token.scopes:
            raise ApiError(method.scope_error, f"the token has no right {method.scope!r}")

    def _users_get(self, call: Call) -> list[dict[str, Any]]:
        """https://dev.vk.com/ru/method/users.get"""
        user_ids = split_list(call.text("user_ids")) or ([] if call.owner < 0 else [call.token.account])
        found = (self._oauth.account(number) for number in user_ids)
        return [_user(account, split_list(call.text("fields"))) for account in found if account is not None]

    def _groups_get(self, call: Call) -> dict[str, Any]:
        """https://dev.vk.com/ru/method/groups.get"""
        if call.number("user_id", call.owner) != call.owner:
            raise ApiError(7)
        role_filter = call.text("filter")
        if role_filter not in FILTERS:
            raise ApiError(100, f"filter {role_filter} is unknown")
        communities = self._communities.list_for(call.token.account, role_filter)
        if not call.flag("extended"):
            return {"count": len(communities), "items": [community.id for community in communities]}
        fields = split_list(call.text("fields"))
        return {
            "count": len(communities),
            "items": [_community(community, call.token.account, fields) for community in communities],
        }

    def _groups_get_by_id(self, call: Call) -> dict[str, Any]:
        """https://dev.vk.com/ru/method/groups.getById"""
        names = split_list(call.text("group_ids")) or split_list(call.text("group_id"))
        if not names and call.owner < 0:
            names = [str(-call.owner)]
        if not names or len(names) > MAX_GROUPS:
            raise_invalid("group_ids is undefined")
        return {"groups": [self._group(call, name) for name in names], "profiles": []}

    def _group(self, call: Call, name: str) -> dict[str, Any]:
        """A number that no community has is one that was deleted; an unknown short name is an error."""
        community = self._communities.find(int(name)) if name.isdigit() else self._communities.find_by_name(name)
        if community is None and not name.isdigit():
            raise_invalid("group_ids is undefined")
        if community is None:
            return {"id": int(name), "name": "DELETED", "screen_name": f"club{name}", "deactivated": "deleted"}
        fields = split_list(call.text("fields"))
        shown = _community(community, call.token.account, fields)
        if "groups" not in call.token.scopes:  # who manages it is told to this right only
            for field in ("is_admin", "admin_level", "is_member"):
                shown.pop(field, None)
        return shown


def _request_params(name: str) -> list[dict[str, str]]:
    """Returns the request's parameters for an error response, without the token."""
    params = {"oauth": "1", "method": name} | request.values.to_dict()
    return [{"key": key, "value": value} for key, value in params.items() if key != "access_token"]


def _user(account: Account, fields: list[str]) -> dict[str, Any]:
    first_name, _, last_name = account.name.partition(" ")
    return {
        "id": int(account.id),
        "first_name": first_name,
        "last_name": last_name,
        "can_access_closed": True,
        "is_closed": False,
    } | _photos(account.name, fields)


def _community(community: Community, user: str, fields: list[str]) -> dict[str, Any]:
    role = community.roles.get(user, "none")
    admin_levels = {"moderator": 1, "editor": 2, "administrator": 3}
    return (
        {
            "id": community.id,
            "name": community.name,
            "screen_name": community.screen_name,
            "is_closed": 0,
            "type": "group",
            "is_member": int(role != "none"),
            "is_admin": int(role in admin_levels),
        }
        | ({"admin_level": admin_levels[role]} if role in admin_levels else {})
        | _photos(community.name, fields)
        | {field: int(role in FILTERS["editor"]) for field in fields if field in ("can_post", "can_upload_video")}
    )


def _photos(name: str, fields: list[str]) -> dict[str, str]:
    return {field: avatar_url(name) for field in fields if field.startswith("photo_")}
