"""The base class of an emulated platform. A new platform is a subclass, listed in `EMULATORS` of `__init__`."""

import json
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

from flask import Blueprint, Response, current_app, request

from sandbox.commands import BadCommand, required
from sandbox.state import State, Token, Video

OPTIONS = {
    "rate_limits": True,
    "processing_seconds": 1.0,
    "moderation": False,
    "token_seconds": 0,
    "code_seconds": 600,
}
"""Options of several platforms, with their defaults. `token_seconds` 0: the vendor's own lifetime."""

RETRY_AFTER = 1
"""Seconds in a 429, unless the fault rule has `retry_after`."""


class Emulator:
    key: ClassVar[str]
    name: ClassVar[str]
    """The display name."""
    prefixes: ClassVar[tuple[str, ...]]
    """First path segments of the platform's URLs."""
    publishing: ClassVar[str]
    """A regex on "METHOD /path": the request that makes a clip visible."""
    uploading: ClassVar[str]
    """A regex on "METHOD /path": the request that uploads its bytes."""
    options: ClassVar[Mapping[str, Any]] = {}
    """The platform's options by full name, with defaults. `<key>_rate_limits` is required."""

    def __init__(self, state: State) -> None:
        self.state = state

    def blueprint(self) -> Blueprint:
        raise NotImplementedError

    def seed(self) -> None:
        """Creates the initial accounts, tokens and channels."""
        raise NotImplementedError

    def advance(self) -> None:
        """Applies the changes that come with time alone. Called before every request."""

    def account_label(self, video: Video) -> str:
        """Returns the name of the account, for the web page."""
        return video.account

    def draft_status(self, draft: Video) -> str:
        """Returns the status of a draft, for the web page."""
        if draft.sha256 is None:
            return "загружается" if draft.bytes else "ждёт файл"
        if draft.ready_at is None:
            return "загрузка остановилась"
        return "загружен, но не показан" if draft.ready else "обрабатывается"

    def shown_facts(self, video: Video) -> dict[str, Any]:
        """Returns what else tests may know of a clip: what it was published with, beside its texts."""
        return {}

    def notes(self, video: Video) -> list[str]:
        """Returns what else the owner sees of a clip, for the web pages."""
        return []

    def redact(self, path: str) -> str:
        """Returns the path without secrets."""
        return path

    def call_name(self, path: str, query: str) -> str:
        """Returns how the log and the fault rules name a request: its path, unless the query names the method."""
        return path

    def status(self, path: str, status: int, retry_after: int | None) -> Response:
        """Returns the vendor's response with this HTTP status at this path. `retry_after` is in seconds."""
        raise NotImplementedError

    def error(self, path: str, code: str, retry_after: int | None) -> Response:
        """Returns the vendor's response with one of its own error codes, also for an unknown code."""
        raise NotImplementedError

    def option(self, name: str) -> Any:
        return self.state.options[f"{self.key}_{name}"]

    @property
    def rate_limited(self) -> bool:
        return self.state.options["rate_limits"] and self.option("rate_limits")

    def process(self, video: Video) -> None:
        """Starts processing after the last byte: the video is ready in `processing_seconds`."""
        video.ready_at = time.time() + self.state.options["processing_seconds"]
        self.state.save(video)

    # Control commands. An emulator overrides those that differ.

    def add_token(self, command: Mapping[str, Any]) -> None:
        """`command`: `token, account, scopes?, expires_in?` (seconds)."""
        lifetime = command.get("expires_in")
        self.save_token(
            Token(
                platform=self.key,
                token=required(command, "token"),
                account=str(required(command, "account")),
                scopes=split_list(command.get("scopes", [])),
                expires_at=None if lifetime is None else time.time() + lifetime,
            )
        )

    def expire(self, command: Mapping[str, Any]) -> None:
        for token in self.select_tokens(command):
            token.expires_at = 0
            self.save_token(token)

    def revoke(self, command: Mapping[str, Any]) -> None:
        for token in self.select_tokens(command):
            token.revoked = True
            self.save_token(token)

    def rights(self, command: Mapping[str, Any]) -> None:
        """Replaces the `scopes` of tokens."""
        if "scopes" not in command:
            raise BadCommand("scopes is needed; none is []")
        for token in self.select_tokens(command):
            token.scopes = split_list(command["scopes"])
            self.save_token(token)

    def find_token(self, token: str) -> Token | None:
        """Returns the token, also an expired or revoked one."""
        return self.state.tokens.get(f"{self.key} {token}")

    def authorized(self, scheme: str) -> Token | None:
        """Returns the valid token of this request's `Authorization: <scheme> <token>` header."""
        given, _, text = request.headers.get("Authorization", "").partition(" ")
        token = self.find_token(text) if given == scheme else None
        return token if token is not None and not (token.revoked or token.expired) else None

    def save_token(self, token: Token) -> None:
        self.state.tokens.put(f"{self.key} {token.token}", token)

    def list_tokens(self) -> list[Token]:
        return [token for token in self.state.tokens if token.platform == self.key]

    def select_tokens(self, command: Mapping[str, Any]) -> list[Token]:
        """Returns the tokens selected by `token` or `account`. Raises BadCommand if there are none."""
        if "token" not in command and "account" not in command:
            raise BadCommand("token or account is needed")
        found = [
            token
            for token in self.list_tokens()
            if command.get("token", token.token) == token.token
            and str(command.get("account", token.account)) == token.account
        ]
        if not found:
            raise BadCommand(f"{self.key} has no such token or account")
        return found


def split_list(text: str | list[str]) -> list[str]:
    """Returns the items of «a b», «a,b» or a list."""
    return re.findall(r"[^\s,]+", text) if isinstance(text, str) else list(text)


def json_response(value: Any, status: int = 200, retry_after: int | None = None) -> Response:
    """Returns a JSON response; works outside an application context."""
    response = Response(json.dumps(value, ensure_ascii=False), status, content_type="application/json")
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def reason_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def avatar_url(name: str) -> str:
    """Returns the URL of an account's picture."""
    return external_url(f"/avatars/{quote(name, safe='')}.svg")


def external_url(path: str) -> str:
    """Returns the absolute URL of a path of the sandbox, as the client reaches it."""
    base = current_app.config["BASE_URL"] or request.host_url
    return base.rstrip("/") + path
