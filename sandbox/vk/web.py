"""Pages of vk.com: a clip, a video, a wall post, and all posts of an owner."""

import re
from collections.abc import Callable

from flask import Blueprint, abort, render_template

from sandbox.state import State, Video


class Web:
    def __init__(self, state: State, owner_name: Callable[[int], str | None]) -> None:
        """`owner_name` returns the name of a user, or of a community for a negative number."""
        self._state = state
        self._owner_name = owner_name

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/vk/<page>", "page", self._show)

    def _show(self, page: str) -> str:
        parsed = re.fullmatch(r"(clip|video|wall)(-?\d+)_(\d+)", page)
        if parsed is None:
            return self._show_owner(page)
        kind, owner, number = parsed.groups()
        video = self._find_by_post(page, f"{owner}_{number}") if kind == "wall" else None
        if kind != "wall":
            video = self._state.videos.get(f"vk-{owner}_{number}")
        if video is None or not video.visible:
            abort(404)
        return render_template("watch.html", video=video)

    def _find_by_post(self, page: str, post: str) -> Video | None:
        for video in self._state.videos:
            if video.platform == "vk" and (video.url == f"/vk/{page}" or video.facts.get("post") == post):
                return video
        return None

    def _show_owner(self, page: str) -> str:
        parsed = re.fullmatch(r"(id|club)(\d+)", page)
        if parsed is None:
            abort(404)
        owner = parsed[2] if parsed[1] == "id" else f"-{parsed[2]}"
        name = self._owner_name(int(owner))
        if name is None:
            abort(404)
        posts = [
            video for video in self._state.videos if (video.platform, video.account) == ("vk", owner) and video.visible
        ]
        return render_template("owner.html", name=name, posts=posts[::-1])
