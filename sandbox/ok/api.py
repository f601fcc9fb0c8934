"""The methods and the rights that each of them needs. https://apiok.ru/en/dev/methods/rest"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, avatar_url, json_response
from sandbox.oauth import OAuth
from sandbox.ok.call import Call, read
from sandbox.ok.errors import ApiError, invalid
from sandbox.ok.groups import Group, Groups
from sandbox.ok.topics import Topics
from sandbox.ok.videos import Videos

MAX_GROUPS = 100
_VALUABLE, _GROUPS, _VIDEOS = "VALUABLE_ACCESS", "GROUP_CONTENT", "VIDEO_CONTENT"


@dataclass(frozen=True)
class Method:
    handler: Callable[[Call], Any]
    rights: tuple[str, ...]
    empty: bool = False


class Api:
    def __init__(self, emulator: Emulator, oauth: OAuth, groups: Groups, videos: Videos, topics: Topics) -> None:
        self._emulator = emulator
        self._oauth = oauth
        self._groups = groups
        self._methods = {
            "users.getCurrentUser": Method(self._current_user, (_VALUABLE,)),
            "group.getUserGroupsV2": Method(self._user_groups, (_VALUABLE, _GROUPS)),
            "group.getInfo": Method(self._group_info, (_VALUABLE, _GROUPS)),
            "video.getUploadUrl": Method(videos.get_upload_url, (_VALUABLE, _GROUPS, _VIDEOS)),
            "video.update": Method(videos.update, (_VALUABLE, _GROUPS, _VIDEOS), empty=True),
            "video.get": Method(videos.get, (_VALUABLE, _VIDEOS)),
            "mediatopic.post": Method(topics.post, (_VALUABLE, _GROUPS)),
            "mediatopic.getTopics": Method(topics.get, (_VALUABLE, _GROUPS)),
            "mediatopic.getByIds": Method(topics.get_by_ids, (_VALUABLE,)),
        }

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/ok-api/fb.do", "call", self._respond, methods=["GET", "POST"])

    def _respond(self) -> Response:
        try:
            call = read(self._emulator)
            method = self._methods.get(request.values.get("method", ""))
            if method is None:
                raise ApiError(3)
            if missing := [right for right in method.rights if right not in call.token.scopes]:
                raise ApiError(10, f"The user must grant {', '.join(missing)}")
            with self._emulator.state.lock:
                answer = method.handler(call)
        except ApiError as error:
            return error.response()
        return json_response(json.loads(self._emulator.option("empty_answer")) if method.empty else answer)

    def _current_user(self, call: Call) -> dict[str, Any]:
        account = self._oauth.account(call.user)
        return {"uid": call.user, "name": account.name, "locale": "ru", "pic_1": avatar_url(account.name)}

    def _user_groups(self, call: Call) -> dict[str, Any]:
        """A page of none has no `groups` at all."""
        count = call.number("count", 10)
        if not 1 <= count <= MAX_GROUPS:
            raise invalid(f"count is 1 to {MAX_GROUPS}")
        groups = self._groups.list_for(call.user)
        start = 0
        if anchor := call.text("anchor"):
            start = next((place for place, group in enumerate(groups, 1) if f"after-{group.id}" == anchor), len(groups))
        page = groups[start : start + count]
        if not page:
            return {"anchor": anchor or None}
        return {"groups": [_membership(group, call.user) for group in page], "anchor": f"after-{page[-1].id}"}

    def _group_info(self, call: Call) -> list[dict[str, Any]]:
        numbers = call.required("uids").split(",")
        asked = call.required("fields").lower().split(",")
        if len(numbers) > MAX_GROUPS:
            raise invalid(f"uids: at most {MAX_GROUPS}")
        found = [group for number in numbers if (group := self._groups.find(number.strip()))]
        return [{name: value for name, value in _info(group).items() if name in asked} for group in found]


def _membership(group: Group, user: str) -> dict[str, str]:
    status, role = group.members[user]
    return {"groupId": group.id, "userId": user, "status": status} | ({"role": role} if role else {})


def _info(group: Group) -> dict[str, Any]:
    return {"uid": group.id, "name": group.name, "pic_avatar": avatar_url(group.name), "access_type": "OPEN"}
