"""What an emulated platform offers. A new one is a module with an `Emulator`, and a word in `__init__`."""

import json
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

from flask import Blueprint, Response, current_app, request

from sandbox.commands import BadOrder, required
from sandbox.state import Token, Video, World

OPTIONS = {
    "rate_limits": True,
    "processing_seconds": 1.0,
    "moderation": False,
    "token_seconds": 0,
    "code_seconds": 600,
}
"""What several platforms have in common, with the values at the start. `token_seconds` 0: the vendor's own."""

RETRY_AFTER = 1
"""Seconds that a 429 asks for where a trouble names none."""


class Emulator:
    key: ClassVar[str]
    name: ClassVar[str]
    """For people."""
    prefixes: ClassVar[tuple[str, ...]]
    """First path segments that belong to the platform."""
    publishing: ClassVar[str]
    """A regex on "METHOD /path" of the call that makes a clip visible."""
    uploading: ClassVar[str]
    """A regex on "METHOD /path" of the call that brings its bytes."""
    options: ClassVar[Mapping[str, Any]] = {}
    """Own options with their values at the start, by their full names. `<key>_rate_limits` is a must."""

    def __init__(self, world: World) -> None:
        self.world = world

    def blueprint(self) -> Blueprint:
        raise NotImplementedError

    def seed(self) -> None:
        """What is known from the start."""
        raise NotImplementedError

    def settle(self) -> None:
        """What has changed by time alone since the last look: it is called before every request."""

    def place(self, video: Video) -> str:
        """Where a clip stands, for people."""
        return video.account

    def state(self, draft: Video) -> str:
        """What became of a draft, for people."""
        if draft.sha256 is None:
            return "загружается" if draft.bytes else "ждёт файл"
        if draft.ready_at is None:
            return "загрузка остановилась"
        return "загружен, но не показан" if draft.ready else "обрабатывается"

    def redact(self, path: str) -> str:
        """The path without secrets."""
        return path

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        """The vendor's answer with an HTTP status at this path. `retry_after` in seconds."""
        raise NotImplementedError

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """The vendor's answer with one of its own error codes. Any code is answered somehow."""
        raise NotImplementedError

    def option(self, name: str) -> Any:
        return self.world.options[f"{self.key}_{name}"]

    @property
    def rate_limited(self) -> bool:
        return self.world.options["rate_limits"] and self.option("rate_limits")

    def process(self, video: Video) -> None:
        """Its bytes have all come: it will be ready after `processing_seconds`."""
        video.ready_at = time.time() + self.world.options["processing_seconds"]
        self.world.keep(video)

    # Control orders. Where a vendor is different, its emulator overrides them.

    def add_token(self, order: Mapping[str, Any]) -> None:
        """`token, account, scopes?, expires_in?` (seconds)."""
        lifetime = order.get("expires_in")
        self.keep_token(
            Token(
                platform=self.key,
                token=required(order, "token"),
                account=str(required(order, "account")),
                scopes=words(order.get("scopes", [])),
                expires_at=None if lifetime is None else time.time() + lifetime,
            )
        )

    def expire(self, order: Mapping[str, Any]) -> None:
        for token in self.tokens_of(order):
            token.expires_at = 0
            self.keep_token(token)

    def revoke(self, order: Mapping[str, Any]) -> None:
        for token in self.tokens_of(order):
            token.revoked = True
            self.keep_token(token)

    def rights(self, order: Mapping[str, Any]) -> None:
        """`scopes`: what the tokens may do from now on."""
        if "scopes" not in order:
            raise BadOrder("scopes is needed; none is []")
        for token in self.tokens_of(order):
            token.scopes = words(order["scopes"])
            self.keep_token(token)

    def token(self, token: str) -> Token | None:
        """Whatever became of it; see `expired` and `revoked`."""
        return self.world.tokens.get(f"{self.key} {token}")

    def authorized(self, scheme: str) -> Token | None:
        """The good token in this request's `Authorization: <scheme> <token>`."""
        said, _, text = request.headers.get("Authorization", "").partition(" ")
        token = self.token(text) if said == scheme else None
        return token if token is not None and not (token.revoked or token.expired) else None

    def keep_token(self, token: Token) -> None:
        self.world.tokens.put(f"{self.key} {token.token}", token)

    def known_tokens(self) -> list[Token]:
        return [token for token in self.world.tokens if token.platform == self.key]

    def tokens_of(self, order: Mapping[str, Any]) -> list[Token]:
        """The tokens an order names by `token` or `account`. Raises BadOrder when it names none."""
        if "token" not in order and "account" not in order:
            raise BadOrder("token or account is needed")
        named = [
            token
            for token in self.known_tokens()
            if order.get("token", token.token) == token.token
            and str(order.get("account", token.account)) == token.account
        ]
        if not named:
            raise BadOrder(f"{self.key} has no such token or account")
        return named


def words(text: str | list[str]) -> list[str]:
    """«a b», «a,b» or a list."""
    return re.findall(r"[^\s,]+", text) if isinstance(text, str) else list(text)


def answer(value: Any, status: int = 200, retry_after: int | None = None) -> Response:
    """JSON, also outside of an application context."""
    response = Response(json.dumps(value, ensure_ascii=False), status, content_type="application/json")
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def avatar(name: str) -> str:
    """The address of a picture for somebody."""
    return external(f"/avatars/{quote(name, safe='')}.svg")


def external(path: str) -> str:
    """An address of the sandbox as its caller reaches it."""
    base = current_app.config["BASE_URL"] or request.host_url
    return base.rstrip("/") + path
