"""Orders from tests and from people: what is there, what went wrong, what shall. JSON in, JSON out."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify

from sandbox.commands import BadOrder, posted, required
from sandbox.emulator import Emulator, external
from sandbox.faults import Troubles
from sandbox.mail import Mailbox
from sandbox.state import UnknownOption, Video, World

COUNTS = ("views", "likes", "shares")


class Control:
    def __init__(self, world: World, troubles: Troubles, emulators: Iterable[Emulator], mailbox: Mailbox) -> None:
        self._world = world
        self._troubles = troubles
        self._mailbox = mailbox
        self._emulators = {emulator.key: emulator for emulator in emulators}

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("control", __name__, url_prefix="/control")
        for name, answer in {
            "posts": self._posts,
            "drafts": self._drafts,
            "requests": self._requests,
            "mails": self._mails,
            "trouble": self._show_trouble,
            "options": self._show_options,
        }.items():
            blueprint.add_url_rule(f"/{name}", f"show_{name}", answer, methods=["GET"])
        for name, order in {
            "reset": self._reset,
            "trouble": self._set_trouble,
            "tokens": self._add_token,
            "expire": self._expire,
            "revoke": self._revoke,
            "rights": self._rights,
            "options": self._set_options,
            "stats": self._stats,
        }.items():
            blueprint.add_url_rule(f"/{name}", name, order, methods=["POST"])
        return blueprint

    # What is there

    def _posts(self) -> Response:
        with self._world.lock:
            return jsonify(posts=[_post(video) for video in self._world.videos if video.published])

    def _drafts(self) -> Response:
        with self._world.lock:
            return jsonify(drafts=[_draft(video) for video in self._world.videos if not video.published])

    def _requests(self) -> Response:
        return jsonify(requests=[asdict(logged) for logged in self._world.requests])

    def _mails(self) -> Response:
        return jsonify(mails=[asdict(mail) for mail in self._mailbox.mails])

    def _show_trouble(self) -> Response:
        return jsonify(rules=self._troubles.as_json())

    def _show_options(self) -> Response:
        return jsonify(self._world.options)

    # Orders

    def _reset(self) -> Response:
        self._world.reset()
        return _done()

    def _set_trouble(self) -> Response:
        rules = posted().get("rules")
        if not isinstance(rules, list):
            raise BadOrder("rules is a list; an empty one ends all trouble")
        self._troubles.replace(rules)
        return _done()

    def _add_token(self) -> Response:
        self._emulator().add_token(posted())
        return _done()

    def _expire(self) -> Response:
        self._emulator().expire(posted())
        return _done()

    def _revoke(self) -> Response:
        self._emulator().revoke(posted())
        return _done()

    def _rights(self) -> Response:
        self._emulator().rights(posted())
        return _done()

    def _set_options(self) -> Response:
        """`{"telegram_max_mb": 50}` or `{"telegram": {"max_mb": 50}}`."""
        changes: dict[str, Any] = {}
        for name, value in posted().items():
            if isinstance(value, dict):
                changes |= {f"{name}_{inner}": inner_value for inner, inner_value in value.items()}
            else:
                changes[name] = value
        try:
            self._world.set_options(changes)
        except UnknownOption as error:
            raise BadOrder(str(error)) from error
        return self._show_options()

    def _stats(self) -> Response:
        order = posted()
        platform, number = required(order, "platform"), str(required(order, "id"))
        with self._world.lock:
            named = [
                video
                for video in self._world.videos
                if video.published
                and (video.platform, video.id) == (platform, number)
                and str(order.get("account", video.account)) == video.account
            ]
            if len(named) != 1:
                raise BadOrder(f"{platform} has {len(named)} posts with id {number}; account tells them apart")
            for count in COUNTS:
                setattr(named[0], count, order.get(count, getattr(named[0], count)))
            self._world.keep(named[0])
        return _done()

    def _emulator(self) -> Emulator:
        key = required(posted(), "platform")
        if key not in self._emulators:
            raise BadOrder(f"there is no platform {key!r}; there are {', '.join(self._emulators)}")
        return self._emulators[key]


def _post(video: Video) -> dict[str, Any]:
    return {
        "platform": video.platform,
        "account": video.account,
        "id": video.id,
        "title": video.title,
        "bytes": video.bytes,
        "sha256": video.sha256,
        "url": external(video.url),
        "created_at": video.created_at,
        "visible": video.visible,
    }


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


def _done() -> Response:
    return jsonify(ok=True)
