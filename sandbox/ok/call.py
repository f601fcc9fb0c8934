"""A call of the API: signed, by an application that OK knows, with a session that lives.

https://apiok.ru/en/dev/methods/ (signature) and https://apiok.ru/en/ext/oauth/permissions (sessions that live long)
"""

import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import Any

from flask import request

from sandbox.emulator import Emulator
from sandbox.ok.errors import ApiError, invalid
from sandbox.state import Token

LONG_SCOPE = "LONG_ACCESS_TOKEN"
LONG_SECONDS = 30 * 24 * 3600
DAY_SECONDS = 24 * 3600
RATE = (10, 1.0)
"""Requests per seconds of a session; the vendor names no number."""


@dataclass(frozen=True)
class Call:
    token: Token
    params: dict[str, str]

    @property
    def user(self) -> str:
        return self.token.account

    def text(self, name: str, limit: int | None = None) -> str:
        text = self.params.get(name, "")
        if limit is not None and len(text) > limit:
            raise invalid(f"{name} is longer than {limit} characters")
        return text

    def required(self, name: str) -> str:
        if not self.params.get(name):
            raise invalid(f"Missed required parameter: {name}")
        return self.params[name]

    def number(self, name: str, default: int | None = None) -> int:
        text = self.params.get(name, "")
        if not text and default is not None:
            return default
        if not re.fullmatch(r"\d{1,18}", text):
            raise invalid(f"{name} is no number")
        return int(text)

    def flag(self, name: str) -> bool:
        text = self.params.get(name, "false")
        if text not in ("true", "false"):
            raise invalid(f"{name} is true or false")
        return text == "true"

    def json(self, name: str) -> Any:
        try:
            return json.loads(self.required(name))
        except ValueError:
            raise invalid(f"{name} is no JSON") from None

    def fields(self, prefix: str, given: dict[str, Any]) -> dict[str, Any]:
        """Of `given`, what the parameter `fields` names: «id», «video.id», «video.*»."""
        asked = [name.strip().removeprefix(f"{prefix}.").lower() for name in self.text("fields").split(",")]
        return {name: value for name, value in given.items() if name == "id" or name in asked or "*" in asked}


def read(emulator: Emulator) -> Call:
    """The call of this request. Raises ApiError."""
    pairs = [*request.args.items(multi=True), *request.form.items(multi=True)]
    params = dict(pairs)
    if params.get("application_key") != emulator.option("public_key"):
        raise ApiError(101)
    if params.get("format", "json").lower() != "json":
        raise invalid("format: the emulator knows only json")
    text = params.get("access_token", "")
    if len(pairs) != len(params) or params.get("sig") != sign(pairs, text, emulator.option("client_secret")):
        raise ApiError(104)
    token = emulator.find_token(text)
    if token is None or token.revoked:
        raise ApiError(103)
    if token.expired:
        raise ApiError(102)
    if emulator.rate_limited and emulator.state.rate_limits.hit((f"ok {token.token}", *RATE)):
        raise ApiError(11)
    _prolong(emulator, token)
    return Call(token, params)


def sign(pairs: list[tuple[str, str]], access_token: str, application_secret: str) -> str:
    session_secret = hashlib.md5(f"{access_token}{application_secret}".encode(), usedforsecurity=False).hexdigest()
    digest = hashlib.md5(usedforsecurity=False)
    for name, value in sorted(pairs):
        if name not in ("sig", "access_token"):
            digest.update(f"{name}={value}".encode())
    digest.update(session_secret.encode())
    return digest.hexdigest()


def _prolong(emulator: Emulator, token: Token) -> None:
    """A long session lives for 30 days from a call, which counts once a day."""
    if LONG_SCOPE in token.scopes and token.facts.get("prolonged_at", 0) <= time.time() - DAY_SECONDS:
        token.facts["prolonged_at"] = time.time()
        if token.expires_at is not None:
            token.expires_at = max(token.expires_at, time.time() + LONG_SECONDS)
        emulator.save_token(token)
