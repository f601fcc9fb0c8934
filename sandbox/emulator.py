"""What an emulated platform offers. A new one is a module with an `Emulator`, and a word in `__init__`."""

import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

from flask import Blueprint, Response, current_app, request

from sandbox.orders import BadOrder, required
from sandbox.world import Token, Video, World


class Emulator:
    key: ClassVar[str]
    name: ClassVar[str]
    """For people."""
    prefixes: ClassVar[tuple[str, ...]]
    """First path segments that belong to the platform."""
    publishing: ClassVar[str]
    """A regex on "METHOD /path" of the call that makes a clip visible."""
    options: ClassVar[Mapping[str, Any]] = {}
    """Own options with their values at the start; outside they are called `<key>_<option>`."""

    def __init__(self, world: World) -> None:
        self.world = world

    def blueprint(self) -> Blueprint:
        raise NotImplementedError

    def seed(self) -> None:
        """What is known from the start."""
        raise NotImplementedError

    def place(self, video: Video) -> str:
        """Where a clip stands, for people."""
        return video.account

    def redact(self, path: str) -> str:
        """The path without secrets."""
        return path

    def status(self, status: int, retry_after: int | None) -> Response:
        """The vendor's answer with an HTTP status. `retry_after` in seconds."""
        raise NotImplementedError

    def error(self, code: str, retry_after: int | None) -> Response:
        """The vendor's answer with one of its own error codes. Any code is answered somehow."""
        raise NotImplementedError

    def option(self, name: str) -> Any:
        return self.world.options[f"{self.key}_{name}"]

    @property
    def rate_limited(self) -> bool:
        return self.world.options["rate_limits"] and self.option("rate_limits")

    # Control orders. Where a vendor is different, its emulator overrides them.

    def add_token(self, order: Mapping[str, Any]) -> None:
        """`token, account, scopes?, expires_in?` (seconds)."""
        lifetime = order.get("expires_in")
        self.keep_token(
            Token(
                platform=self.key,
                token=required(order, "token"),
                account=str(required(order, "account")),
                scopes=_scopes(order),
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
        required(order, "scopes")
        for token in self.tokens_of(order):
            token.scopes = _scopes(order)
            self.keep_token(token)

    def token(self, token: str) -> Token | None:
        return self.world.tokens.get(f"{self.key} {token}")

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


def _scopes(order: Mapping[str, Any]) -> list[str]:
    scopes = order.get("scopes", [])
    return re.split(r"[\s,]+", scopes.strip()) if isinstance(scopes, str) else list(scopes)


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def external(path: str) -> str:
    """An address of the sandbox as its caller reaches it."""
    base = current_app.config["BASE_URL"] or request.host_url
    return base.rstrip("/") + path
