"""vk.com for people: a clip, a video, a post on a wall, and everything of one owner."""

import re
from collections.abc import Callable

from flask import Blueprint, abort, render_template

from sandbox.state import Video, World


class Web:
    def __init__(self, world: World, owner: Callable[[int], str | None]) -> None:
        """`owner` names a user, or with a negative number a community."""
        self._world = world
        self._owner = owner

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/vk/<place>", "place", self._show)

    def _show(self, place: str) -> str:
        parsed = re.fullmatch(r"(clip|video|wall)(-?\d+)_(\d+)", place)
        if parsed is None:
            return self._show_owner(place)
        kind, owner, number = parsed.groups()
        video = self._on_wall(place, f"{owner}_{number}") if kind == "wall" else None
        if kind != "wall":
            video = self._world.videos.get(f"vk-{owner}_{number}")
        if video is None or not video.visible:
            abort(404)
        return render_template("watch.html", video=video)

    def _on_wall(self, place: str, post: str) -> Video | None:
        for video in self._world.videos:
            if video.platform == "vk" and (video.url == f"/vk/{place}" or video.facts.get("post") == post):
                return video
        return None

    def _show_owner(self, place: str) -> str:
        parsed = re.fullmatch(r"(id|club)(\d+)", place)
        if parsed is None:
            abort(404)
        owner = parsed[2] if parsed[1] == "id" else f"-{parsed[2]}"
        name = self._owner(int(owner))
        if name is None:
            abort(404)
        posts = [
            video for video in self._world.videos if (video.platform, video.account) == ("vk", owner) and video.visible
        ]
        return render_template("owner.html", name=name, posts=posts[::-1])
