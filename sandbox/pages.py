"""The web page: published clips with a player, drafts, mails, fault switches, the last requests."""

import zlib
from collections.abc import Iterable

from flask import Blueprint, abort, redirect, render_template, request, send_file, url_for
from werkzeug.wrappers import Response

from sandbox.emulator import Emulator
from sandbox.faults import FaultRules
from sandbox.mail import Mailbox
from sandbox.state import State, Video

SHOWN_REQUESTS = 30

SLOW_NETWORK = 200_000
"""Bytes a second: 50 s for a clip of 10 MB."""


class Pages:
    def __init__(self, state: State, faults: FaultRules, emulators: Iterable[Emulator], mailbox: Mailbox) -> None:
        self._state = state
        self._faults = faults
        self._mailbox = mailbox
        self._emulators = {emulator.key: emulator for emulator in emulators}
        self._presets = _presets(self._emulators.values())

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("pages", __name__)
        blueprint.add_url_rule("/", "index", self._index)
        blueprint.add_url_rule("/files/<name>", "file", self._file)
        blueprint.add_url_rule("/avatars/<name>.svg", "avatar", _avatar)
        blueprint.add_url_rule("/trouble", "trouble", self._switch_fault, methods=["POST"])
        blueprint.add_url_rule("/reset", "reset", self._reset, methods=["POST"])
        blueprint.app_template_filter("size")(_size)
        blueprint.app_template_filter("platform")(lambda video: self._emulator(video).name)
        blueprint.app_template_filter("account_label")(lambda video: self._emulator(video).account_label(video))
        blueprint.app_template_filter("draft_status")(lambda video: self._emulator(video).draft_status(video))
        blueprint.app_template_filter("notes")(lambda video: self._emulator(video).notes(video))
        return blueprint

    def _emulator(self, video: Video) -> Emulator:
        return self._emulators[video.platform]

    def _index(self) -> str:
        with self._state.lock:
            videos = list(self._state.videos)[::-1]
        return render_template(
            "index.html",
            posts=[video for video in videos if video.published],
            drafts=[video for video in videos if not video.published],
            mails=self._mailbox.mails[::-1],
            presets=self._presets,
            rules=self._faults.as_json(),
            requests=self._state.requests[: -SHOWN_REQUESTS - 1 : -1],
        )

    def _file(self, name: str) -> Response:
        """Returns a clip's bytes, with support of Range; `?download=1` makes it a download."""
        video = self._state.videos.get(name)
        if video is None:
            abort(404)
        download = "download" in request.args
        return send_file(
            self._state.path(video).resolve(),
            mimetype="video/mp4",
            as_attachment=download,
            download_name=f"{video.title or video.key}.mp4",
            conditional=True,
        )

    def _switch_fault(self) -> Response:
        """Adds the rule of a preset, or removes all rules."""
        chosen = request.form.get("preset", "")
        if chosen == "none":
            self._faults.replace([])
        elif chosen in self._presets:
            self._faults.add(self._presets[chosen][1])
        else:
            abort(400)
        return redirect(url_for("pages.index"), 303)

    def _reset(self) -> Response:
        self._state.reset()
        return redirect(url_for("pages.index"), 303)


def _avatar(name: str) -> Response:
    letters = "".join(word[0] for word in name.split()[:2]).upper()
    picture = render_template("avatar.svg", letters=letters, hue=zlib.crc32(name.encode()) % 360)
    return Response(picture, mimetype="image/svg+xml")


def _presets(emulators: Iterable[Emulator]) -> dict[str, tuple[str, dict]]:
    """Returns label and rule of each switch, by key."""
    presets = {}
    for emulator in emulators:
        key, name = emulator.key, emulator.name
        all_requests = rf" /({'|'.join(emulator.prefixes)})/"
        presets |= {
            f"{key}-500": (f"{name} отвечает 500", {"match": all_requests, "do": "status:500"}),
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
                {"match": all_requests, "do": "status:429", "retry_after": 30},
            ),
            f"{key}-slow": (f"{name}: медленная сеть", {"match": all_requests, "do": f"slow:{SLOW_NETWORK}"}),
        }
    return presets


def _size(count: int) -> str:
    number, unit = (count / 1e6, "МБ") if count >= 100_000 else (count / 1e3, "кБ")
    return f"{number:.1f}\N{NO-BREAK SPACE}{unit}".replace(".", ",")
