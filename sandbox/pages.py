"""The page for people: what stands where, with a player; drafts; mails that were sent; switches for trouble."""

import zlib
from collections.abc import Iterable

from flask import Blueprint, abort, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from sandbox.emulator import Emulator
from sandbox.faults import Troubles
from sandbox.mail import Mailbox
from sandbox.state import World

SHOWN_REQUESTS = 30

SLOW_NETWORK = 200_000
"""Bytes a second: a clip of 10 MB takes 50 s."""


class People:
    def __init__(self, world: World, troubles: Troubles, emulators: Iterable[Emulator], mailbox: Mailbox) -> None:
        self._world = world
        self._troubles = troubles
        self._mailbox = mailbox
        self._emulators = {emulator.key: emulator for emulator in emulators}
        self._presets = _presets(self._emulators.values())

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("people", __name__)
        blueprint.add_url_rule("/", "index", self._index)
        blueprint.add_url_rule("/files/<name>", "file", self._file)
        blueprint.add_url_rule("/avatars/<name>.svg", "avatar", _avatar)
        blueprint.add_url_rule("/trouble", "trouble", self._trouble, methods=["POST"])
        blueprint.add_url_rule("/reset", "reset", self._reset, methods=["POST"])
        blueprint.app_template_filter("size")(_size)
        blueprint.app_template_filter("platform")(lambda video: self._emulators[video.platform].name)
        blueprint.app_template_filter("place")(lambda video: self._emulators[video.platform].place(video))
        blueprint.app_template_filter("state")(lambda video: self._emulators[video.platform].state(video))
        return blueprint

    def _index(self) -> str:
        with self._world.lock:
            videos = list(self._world.videos)[::-1]
        return render_template(
            "index.html",
            posts=[video for video in videos if video.published],
            drafts=[video for video in videos if not video.published],
            mails=self._mailbox.mails[::-1],
            presets=self._presets,
            rules=self._troubles.as_json(),
            requests=self._world.requests[: -SHOWN_REQUESTS - 1 : -1],
        )

    def _file(self, name: str) -> Response:
        """A clip's bytes, with Range; `?download=1` offers them for saving."""
        video = self._world.videos.get(name)
        if video is None:
            abort(404)
        download = "download" in request.args
        return send_file(
            self._world.path(video).resolve(),
            mimetype="video/mp4",
            as_attachment=download,
            download_name=f"{video.title or video.key}.mp4",
            conditional=True,
        )

    def _trouble(self) -> Response:
        """Adds one of the presets, or ends all trouble."""
        chosen = request.form.get("preset", "")
        if chosen == "none":
            self._troubles.replace([])
        elif chosen in self._presets:
            self._troubles.add(self._presets[chosen][1])
        else:
            abort(400)
        return redirect(url_for("people.index"), 303)

    def _reset(self) -> Response:
        self._world.reset()
        return redirect(url_for("people.index"), 303)


def _avatar(name: str) -> Response:
    letters = "".join(word[0] for word in name.split()[:2]).upper()
    picture = render_template("avatar.svg", letters=letters, hue=zlib.crc32(name.encode()) % 360)
    return Response(picture, mimetype="image/svg+xml")


def _presets(emulators: Iterable[Emulator]) -> dict[str, tuple[str, dict]]:
    """Key, label and rule of each switch."""
    presets = {}
    for emulator in emulators:
        key, name = emulator.key, emulator.name
        everything = rf" /({'|'.join(emulator.prefixes)})/"
        presets |= {
            f"{key}-500": (f"{name} отвечает 500", {"match": everything, "do": "status:500"}),
            f"{key}-lost": (
                f"{name}: терять ответ на публикацию",
                {"match": emulator.publishing, "do": "lose_answer"},
            ),
            f"{key}-cut": (
                f"{name}: обрывать загрузку на половине",
                {"match": emulator.uploading, "do": "cut_request:50"},
            ),
            f"{key}-429": (
                f"{name} отвечает 429",
                {"match": everything, "do": "status:429", "retry_after": 30},
            ),
            f"{key}-slow": (f"{name}: медленная сеть", {"match": everything, "do": f"slow:{SLOW_NETWORK}"}),
        }
    return presets


def _size(count: int) -> str:
    number, unit = (count / 1e6, "МБ") if count >= 100_000 else (count / 1e3, "кБ")
    return f"{number:.1f}\N{NO-BREAK SPACE}{unit}".replace(".", ",")
