"""The OAuth server that the platforms share: consent page, authorization codes, refresh token rotation.

RFC 6749, and RFC 7636 (PKCE), which is required here, with S256. Any client_id is accepted, but it must be the same
in every step.
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

from sandbox.emulator import Emulator, split_list
from sandbox.state import Token

CHALLENGE = re.compile(r"[\w-]{43}")
"""A SHA-256 in base64url without padding: https://www.rfc-editor.org/rfc/rfc7636#section-4.2"""
VERIFIER = re.compile(r"[\w.~-]{43,128}")
"""https://www.rfc-editor.org/rfc/rfc7636#section-4.1"""


class OAuthError(Exception):
    """An error response to the app: `{"error", "error_description"}`."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class BadAuthorizationRequest(Exception):
    """An invalid authorization request; the text is shown to the user."""


@dataclass
class Account:
    """An account that can grant access. `login`: where the platform has one."""

    id: str
    name: str
    login: str = ""


@dataclass
class Grant:
    """An authorization code and what it grants. It can be exchanged once."""

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
    """`scopes`: known scopes with their Russian descriptions. `scopes_option`: the option that limits the granted ones.

    `callback(grant, state)` returns the parameters of the redirect to the app; it may add facts to the grant.
    `separator`: between scopes in a request; by default a space (RFC 6749).
    """

    def __init__(
        self,
        emulator: Emulator,
        key: str,
        name: str,
        scopes: Mapping[str, str],
        scopes_option: str,
        callback: Callable[[Grant, str], Mapping[str, str]],
        separator: str | None = None,
    ) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self._key = key
        self._name = name
        self._scopes = scopes
        self._scopes_option = scopes_option
        self._callback = callback
        self._separator = separator
        self._accounts = self._state.table(f"{key}_account", Account)
        self._grants = self._state.table(f"{key}_grant", Grant)

    # Accounts

    def add_account(self, account: Account) -> None:
        self._accounts.put(account.id, account)

    def account(self, number: str) -> Account | None:
        return self._accounts.get(number)

    # The consent page

    def authorize(self, known_scopes_only: bool = False) -> Response | str:
        """GET shows the page, POST submits it. `known_scopes_only`: unknown scopes are an error, not ignored."""
        try:
            asked = self._requested_scopes(known_scopes_only)
        except BadAuthorizationRequest as error:
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
                scopes=[self._scopes[scope] for scope in asked if scope in self._scopes],
                accounts=list(self._accounts),
            )
        state = request.args["state"]
        if request.form.get("decision") != "allow":
            return _redirect_to_app(error="access_denied", error_description="The user denied access", state=state)
        account = self.account(request.form.get("account", ""))
        if account is None:
            return Response("Такого аккаунта нет", 400, mimetype="text/plain")
        grant = self._grant(account, asked)
        params = self._callback(grant, state)
        with self._state.lock:
            self._grants.put(grant.code, grant)
        return _redirect_to_app(**params)

    def _requested_scopes(self, known_scopes_only: bool) -> list[str]:
        """Returns the requested scopes. Raises BadAuthorizationRequest."""
        for name in ("response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method"):
            if not request.args.get(name):
                raise BadAuthorizationRequest(f"нет параметра {name}")
        if request.args["response_type"] != "code":
            raise BadAuthorizationRequest("response_type бывает только code")
        if request.args["code_challenge_method"].upper() != "S256":
            raise BadAuthorizationRequest("code_challenge_method бывает только S256")
        if not CHALLENGE.fullmatch(request.args["code_challenge"]):
            raise BadAuthorizationRequest("code_challenge — это SHA-256 в base64url, 43 знака")
        target = urlsplit(request.args["redirect_uri"])
        if target.scheme not in ("http", "https") or not target.netloc or target.fragment:
            raise BadAuthorizationRequest("redirect_uri — полный адрес без #")
        scopes = [scope for scope in request.args.get("scope", "").split(self._separator) if scope]
        unknown = [scope for scope in scopes if scope not in self._scopes]
        if known_scopes_only and unknown:
            raise BadAuthorizationRequest(f"invalid_scope: {' '.join(unknown)}")
        return scopes

    def _grant(self, account: Account, asked: list[str]) -> Grant:
        allowed = self._state.options[self._scopes_option]
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
                if scope in self._scopes and (allowed is None or scope in split_list(allowed))
            ],
            expires_at=time.time() + self._state.options["code_seconds"],
        )

    # Tokens

    def exchange_code(self, code: str, client_id: str, verifier: str, redirect_uri: str | None) -> Grant:
        """Returns the grant. Raises OAuthError. A code is used up by the first attempt, also by a failed one."""
        with self._state.lock:
            grant = self._grants.get(code)
            self._grants.delete(code)
        if grant is None or grant.expires_at <= time.time():
            raise OAuthError("invalid_grant", "Code is invalid or expired")
        if grant.client_id != client_id:
            raise OAuthError("invalid_grant", "Code was issued to another client")
        if redirect_uri is not None and grant.redirect_uri != redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri is not the one that the code was issued for")
        if not VERIFIER.fullmatch(verifier) or s256_challenge(verifier) != grant.challenge:
            raise OAuthError("invalid_grant", "code_verifier is invalid")
        return grant

    def issue(self, prefix: str, account: str, scopes: Iterable[str], seconds: int, **facts: Any) -> Token:
        """Returns a new token, with its refresh token in `facts`. The option `token_seconds` overrides `seconds`."""
        lifetime = self._state.options["token_seconds"] or seconds
        token = Token(
            self._emulator.key,
            prefix + secrets.token_urlsafe(48),
            account,
            list(scopes),
            time.time() + lifetime,
            facts={"refresh_token": prefix + secrets.token_urlsafe(48), "expires_in": lifetime, **facts},
        )
        with self._state.lock:
            self._emulator.save_token(token)
        return token

    def find_by_refresh_token(self, refresh_token: str, client_id: str) -> Token:
        """Returns the token that was issued with this refresh token. Raises OAuthError."""
        for token in self._emulator.list_tokens():
            if secrets.compare_digest(token.facts.get("refresh_token", "").encode(), refresh_token.encode()):
                break
        else:
            raise OAuthError("invalid_grant", "refresh_token is invalid or was used before")
        if token.revoked:
            raise OAuthError("invalid_grant", "refresh_token is revoked")
        if token.facts["client_id"] != client_id:
            raise OAuthError("invalid_grant", "refresh_token was issued to another client")
        return token

    def refresh(self, old: Token, prefix: str, seconds: int) -> Token:
        """Returns a new pair. The old refresh token is invalid; the old access token stays valid until it expires."""
        with self._state.lock:
            facts = {name: fact for name, fact in old.facts.items() if name not in ("refresh_token", "expires_in")}
            if not old.facts.pop("refresh_token", None):
                raise OAuthError("invalid_grant", "refresh_token was used before")
            self._emulator.save_token(old)
            return self.issue(prefix, old.account, old.scopes, seconds, **facts)


def s256_challenge(verifier: str) -> str:
    """https://www.rfc-editor.org/rfc/rfc7636#section-4.2"""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _redirect_to_app(**params: str) -> Response:
    """Redirects to the app."""
    url = request.args["redirect_uri"]
    return redirect(f"{url}{'&' if '?' in url else '?'}{urlencode(params)}", 303)
