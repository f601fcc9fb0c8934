"""The control API: reads and changes the state, the faults and the options. JSON in, JSON out."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify

from sandbox.commands import BadCommand, parse_command, required
from sandbox.emulator import Emulator, external_url
from sandbox.faults import FaultRules
from sandbox.mail import Mailbox
from sandbox.state import State, UnknownOption, Video

COUNTS = ("views", "likes", "shares")


class Control:
    def __init__(self, state: State, faults: FaultRules, emulators: Iterable[Emulator], mailbox: Mailbox) -> None:
        self._state = state
        self._faults = faults
        self._mailbox = mailbox
        self._emulators = {emulator.key: emulator for emulator in emulators}

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("control", __name__, url_prefix="/control")
        for name, handler in {
            "posts": self._posts,
            "drafts": self._drafts,
            "requests": self._requests,
            "mails": self._mails,
            "trouble": self._show_faults,
            "options": self._show_options,
        }.items():
            blueprint.add_url_rule(f"/{name}", f"show_{name}", handler, methods=["GET"])
        for name, handler in {
            "reset": self._reset,
            "trouble": self._set_faults,
            "tokens": self._add_token,
            "expire": self._expire,
            "revoke": self._revoke,
            "rights": self._rights,
            "options": self._set_options,
            "stats": self._stats,
        }.items():
            blueprint.add_url_rule(f"/{name}", name, handler, methods=["POST"])
        return blueprint

    # Queries

    def _posts(self) -> Response:
        with self._state.lock:
            return jsonify(posts=[self._post(video) for video in self._state.videos if video.published])

    def _drafts(self) -> Response:
        with self._state.lock:
            return jsonify(drafts=[_draft(video) for video in self._state.videos if not video.published])

    def _requests(self) -> Response:
        return jsonify(requests=[asdict(logged) for logged in self._state.requests])

    def _mails(self) -> Response:
        return jsonify(mails=[asdict(mail) for mail in self._mailbox.mails])

    def _show_faults(self) -> Response:
        return jsonify(rules=self._faults.as_json())

    def _show_options(self) -> Response:
        return jsonify(self._state.options)

    def _post(self, video: Video) -> dict[str, Any]:
        return {
            "platform": video.platform,
            "account": video.account,
            "id": video.id,
            "title": video.title,
            "bytes": video.bytes,
            "sha256": video.sha256,
            "url": external_url(video.url),
            "created_at": video.created_at,
            "visible": video.visible,
            "facts": self._emulators[video.platform].shown_facts(video),
        }

    # Commands

    def _reset(self) -> Response:
        self._state.reset()
        return _ok()

    def _set_faults(self) -> Response:
        rules = parse_command().get("rules")
        if not isinstance(rules, list):
            raise BadCommand("rules is a list; an empty one removes all faults")
        self._faults.replace(rules)
        return _ok()

    def _add_token(self) -> Response:
        self._emulator().add_token(parse_command())
        return _ok()

    def _expire(self) -> Response:
        self._emulator().expire(parse_command())
        return _ok()

    def _revoke(self) -> Response:
        self._emulator().revoke(parse_command())
        return _ok()

    def _rights(self) -> Response:
        self._emulator().rights(parse_command())
        return _ok()

    def _set_options(self) -> Response:
        """Accepts `{"telegram_max_mb": 50}` or `{"telegram": {"max_mb": 50}}`."""
        changes: dict[str, Any] = {}
        for name, value in parse_command().items():
            if isinstance(value, dict):
                changes |= {f"{name}_{inner}": inner_value for inner, inner_value in value.items()}
            else:
                changes[name] = value
        try:
            self._state.set_options(changes)
        except UnknownOption as error:
            raise BadCommand(str(error)) from error
        return self._show_options()

    def _stats(self) -> Response:
        command = parse_command()
        platform, number = required(command, "platform"), str(required(command, "id"))
        with self._state.lock:
            found = [
                video
                for video in self._state.videos
                if video.published
                and (video.platform, video.id) == (platform, number)
                and str(command.get("account", video.account)) == video.account
            ]
            if len(found) != 1:
                raise BadCommand(f"{platform} has {len(found)} posts with id {number}; name the account")
            for count in COUNTS:
                setattr(found[0], count, command.get(count, getattr(found[0], count)))
            self._state.save(found[0])
        return _ok()

    def _emulator(self) -> Emulator:
        key = required(parse_command(), "platform")
        if key not in self._emulators:
            raise BadCommand(f"there is no platform {key!r}; there are {', '.join(self._emulators)}")
        return self._emulators[key]


def _draft(video: Video) -> dict[str, Any]:
    return {
        "platform": video.platform,
        "account": video.account,
        "id": video.id,
        "title": video.title,
        "offset": video.bytes,
        "bytes": video.bytes,
        "sha256": video.sha256,
        "created_at": video.created_at,
    }


def _ok() -> Response:
    return jsonify(ok=True)
