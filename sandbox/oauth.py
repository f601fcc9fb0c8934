"""OAuth as the platforms have in common: a page where a person allows or refuses, codes, tokens that rotate.

RFC 6749 and, for the code challenge, RFC 7636: here every app has to use it, with S256. Any client_id will do,
as long as it stays the same from one step to the next.
"""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import redirect, render_template, request
from werkzeug.wrappers import Response

from sandbox.emulator import Emulator, words
from sandbox.state import Token

CHALLENGE = re.compile(r"[\w-]{43}")
"""A SHA-256 in base64url without padding: https://www.rfc-editor.org/rfc/rfc7636#section-4.2"""
VERIFIER = re.compile(r"[\w.~-]{43,128}")
"""https://www.rfc-editor.org/rfc/rfc7636#section-4.1"""


class Refused(Exception):
    """`{"error", "error_description"}` for the app."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class BadRequest(Exception):
    """An app sent a person here in a way that cannot be answered; the text tells the person why."""


@dataclass
class Account:
    """Somebody who can allow an app something. `login` where the platform has such names."""

    id: str
    name: str
    login: str = ""


@dataclass
class Grant:
    """What a person allowed, until the app fetches its token with the code. Works once."""

    code: str
    client_id: str
    redirect_uri: str
    challenge: str
    account: str
    asked: list[str]
    scopes: list[str]
    expires_at: float
    facts: dict[str, Any] = field(default_factory=dict)


class OAuth:
    """`scopes`: what may be asked, and what it means in Russian. `withheld`: the option that narrows it.

    `callback` says what goes back to the app with a grant and the app's state; it may add facts to the grant.
    """

    def __init__(
        self,
        emulator: Emulator,
        key: str,
        name: str,
        scopes: Mapping[str, str],
        withheld: str,
        callback: Callable[[Grant, str], Mapping[str, str]],
    ) -> None:
        self._emulator = emulator
        self._world = emulator.world
        self._key = key
        self._name = name
        self._scopes = scopes
        self._withheld = withheld
        self._callback = callback
        self._accounts = self._world.table(f"{key}_account", Account)
        self._grants = self._world.table(f"{key}_grant", Grant)

    # Accounts

    def add_account(self, account: Account) -> None:
        self._accounts.put(account.id, account)

    def account(self, number: str) -> Account | None:
        return self._accounts.get(number)

    # The page for people

    def authorize(self, known_scopes_only: bool = False) -> Response | str:
        """GET shows the page, POST is the person's answer. `known_scopes_only`: others are refused, not ignored."""
        try:
            asked = self._asked(known_scopes_only)
        except BadRequest as error:
            return Response(
                render_template("oauth/refused.html", name=self._name, why=str(error)), 400, mimetype="text/html"
            )
        if request.method == "GET":
            return render_template(
                "oauth/consent.html",
                key=self._key,
                name=self._name,
                client_id=request.args["client_id"],
                host=urlsplit(request.args["redirect_uri"]).netloc,
                wishes=[self._scopes[scope] for scope in asked if scope in self._scopes],
                accounts=list(self._accounts),
            )
        state = request.args["state"]
        if request.form.get("decision") != "allow":
            return _back(error="access_denied", error_description="The user denied access", state=state)
        account = self.account(request.form.get("account", ""))
        if account is None:
            return Response("Такого аккаунта нет", 400, mimetype="text/plain")
        grant = self._grant(account, asked)
        back = self._callback(grant, state)
        with self._world.lock:
            self._grants.put(grant.code, grant)
        return _back(**back)

    def _asked(self, known_scopes_only: bool) -> list[str]:
        """The scopes that are asked for. Raises BadRequest."""
        for name in ("response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method"):
            if not request.args.get(name):
                raise BadRequest(f"нет параметра {name}")
        if request.args["response_type"] != "code":
            raise BadRequest("response_type бывает только code")
        if request.args["code_challenge_method"].upper() != "S256":
            raise BadRequest("code_challenge_method бывает только S256")
        if not CHALLENGE.fullmatch(request.args["code_challenge"]):
            raise BadRequest("code_challenge — это SHA-256 в base64url, 43 знака")
        place = urlsplit(request.args["redirect_uri"])
        if place.scheme not in ("http", "https") or not place.netloc or place.fragment:
            raise BadRequest("redirect_uri — полный адрес без #")
        scopes = request.args.get("scope", "").split()
        unknown = [scope for scope in scopes if scope not in self._scopes]
        if known_scopes_only and unknown:
            raise BadRequest(f"invalid_scope: {' '.join(unknown)}")
        return scopes

    def _grant(self, account: Account, asked: list[str]) -> Grant:
        allowed = self._world.options[self._withheld]
        return Grant(
            code=secrets.token_hex(16),
            client_id=request.args["client_id"],
            redirect_uri=request.args["redirect_uri"],
            challenge=request.args["code_challenge"],
            account=account.id,
            asked=asked,
            scopes=[
                scope
                for scope in dict.fromkeys(asked)
                if scope in self._scopes and (allowed is None or scope in words(allowed))
            ],
            expires_at=time.time() + self._world.options["code_seconds"],
        )

    # Tokens for apps

    def redeem(self, code: str, client_id: str, verifier: str, redirect_uri: str | None) -> Grant:
        """Raises Refused. A code that was shown once is used up, whatever came of it."""
        with self._world.lock:
            grant = self._grants.get(code)
            self._grants.drop(code)
        if grant is None or grant.expires_at <= time.time():
            raise Refused("invalid_grant", "Code is invalid or expired")
        if grant.client_id != client_id:
            raise Refused("invalid_grant", "Code was issued to another client")
        if redirect_uri is not None and grant.redirect_uri != redirect_uri:
            raise Refused("invalid_grant", "redirect_uri is not the one that the code was issued for")
        if not VERIFIER.fullmatch(verifier) or challenge(verifier) != grant.challenge:
            raise Refused("invalid_grant", "code_verifier is invalid")
        return grant

    def issue(self, prefix: str, account: str, scopes: Iterable[str], seconds: int, **facts: Any) -> Token:
        """A token with its refresh token in `facts`; it lives `seconds` unless the option says otherwise."""
        lifetime = self._world.options["token_seconds"] or seconds
        token = Token(
            self._emulator.key,
            prefix + secrets.token_urlsafe(48),
            account,
            list(scopes),
            time.time() + lifetime,
            facts={"refresh_token": prefix + secrets.token_urlsafe(48), "expires_in": lifetime, **facts},
        )
        with self._world.lock:
            self._emulator.keep_token(token)
        return token

    def refreshable(self, refresh_token: str, client_id: str) -> Token:
        """The token that the refresh token came with. Raises Refused."""
        for token in self._emulator.known_tokens():
            if secrets.compare_digest(token.facts.get("refresh_token", "").encode(), refresh_token.encode()):
                break
        else:
            raise Refused("invalid_grant", "refresh_token is invalid or was used before")
        if token.revoked:
            raise Refused("invalid_grant", "refresh_token is revoked")
        if token.facts["client_id"] != client_id:
            raise Refused("invalid_grant", "refresh_token was issued to another client")
        return token

    def refresh(self, old: Token, prefix: str, seconds: int) -> Token:
        """A new pair. The old refresh token is dead from now on; the old access token lives out its time."""
        with self._world.lock:
            facts = {name: fact for name, fact in old.facts.items() if name not in ("refresh_token", "expires_in")}
            if not old.facts.pop("refresh_token", None):
                raise Refused("invalid_grant", "refresh_token was used before")
            self._emulator.keep_token(old)
            return self.issue(prefix, old.account, old.scopes, seconds, **facts)


def challenge(verifier: str) -> str:
    """https://www.rfc-editor.org/rfc/rfc7636#section-4.2"""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _back(**params: str) -> Response:
    """To the app, with what it needs."""
    place = request.args["redirect_uri"]
    return redirect(f"{place}{'&' if '?' in place else '?'}{urlencode(params)}", 303)
