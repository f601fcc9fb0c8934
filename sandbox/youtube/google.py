"""Google's OAuth: https://developers.google.com/identity/protocols/oauth2/web-server"""

import secrets
import time
from collections.abc import Callable, Mapping

from flask import Blueprint, request
from werkzeug.wrappers import Response

from sandbox.emulator import Emulator, json_response
from sandbox.oauth import Grant, OAuth, OAuthError
from sandbox.state import Token

TOKEN_SECONDS = 3599
TOKEN_PREFIX = "ya29."
SCOPE = "https://www.googleapis.com/auth/"
SCOPES = {
    f"{SCOPE}youtube.upload": "загружать видео на ваш канал YouTube",
    f"{SCOPE}youtube.readonly": "видеть ваш канал YouTube и его видео",
}


class Google:
    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self.oauth = OAuth(emulator, "google", "Google", SCOPES, "google_scopes", _callback)

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/google/auth", "authorize", self._authorize, methods=["GET", "POST"])
        blueprint.add_url_rule("/google/token", "token", _return_errors(self._token), methods=["POST"])
        blueprint.add_url_rule("/google/revoke", "revoke", _return_errors(self._revoke), methods=["POST"])

    def _authorize(self) -> Response | str:
        return self.oauth.authorize(known_scopes_only=True)

    def _token(self) -> Response:
        client_id = self._client()
        match _required_field("grant_type"):
            case "authorization_code":
                token = self._first_token(client_id)
                more = {name: token.facts[name] for name in ("refresh_token",) if name in token.facts}
            case "refresh_token":
                token, more = self._next_token(client_id), {}
            case other:
                raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {other}")
        granted = {"expires_in": token.facts["expires_in"], "scope": " ".join(token.scopes), "token_type": "Bearer"}
        return json_response({"access_token": token.token, **granted, **more})

    def _first_token(self, client_id: str) -> Token:
        grant = self.oauth.exchange_code(
            _required_field("code"), client_id, _required_field("code_verifier"), _required_field("redirect_uri")
        )
        token = self.oauth.issue(TOKEN_PREFIX, grant.account, grant.scopes, TOKEN_SECONDS, client_id=client_id)
        # A refresh token comes where it was asked for, and once more only where consent was asked for again.
        known = [one for one in self._emulator.select_tokens({"account": grant.account}) if one is not token]
        consented = any(one.facts.get("client_id") == client_id and not one.revoked for one in known)
        if grant.facts["access_type"] != "offline" or (consented and grant.facts["prompt"] != "consent"):
            del token.facts["refresh_token"]
            self._emulator.save_token(token)
        return token

    def _next_token(self, client_id: str) -> Token:
        """The refresh token stays the same, and every access token of it good until it expires."""
        old = self.oauth.find_by_refresh_token(_required_field("refresh_token"), client_id)
        lifetime = self._state.options["token_seconds"] or TOKEN_SECONDS
        name = TOKEN_PREFIX + secrets.token_urlsafe(48)
        facts = {**old.facts, "expires_in": lifetime}
        token = Token(old.platform, name, old.account, list(old.scopes), time.time() + lifetime, facts=facts)
        with self._state.lock:
            self._emulator.save_token(token)
        return token

    def _revoke(self) -> Response:
        """An access or a refresh token; all that belong together go."""
        given = request.values.get("token", "")
        tokens = self._emulator.list_tokens()
        grants = {
            one.facts.get("refresh_token") for one in tokens if given in (one.token, one.facts.get("refresh_token"))
        }
        mine = [one for one in tokens if one.token == given or (one.facts.get("refresh_token") or "") in grants]
        if not given or not mine or all(one.revoked for one in mine):
            raise OAuthError("invalid_token", "Token expired or revoked")
        for one in mine:
            self._emulator.revoke({"token": one.token})
        return json_response({})

    def _client(self) -> str:
        client_id, secret = _required_field("client_id"), request.form.get("client_secret", "")
        expected = self._state.options["google_client_secret"]
        if not secret or (expected and not secrets.compare_digest(secret.encode(), expected.encode())):
            raise OAuthError("invalid_client", "The provided client secret is invalid.")
        return client_id


def _callback(grant: Grant, state: str) -> Mapping[str, str]:
    grant.facts = {name: request.args.get(name, "") for name in ("access_type", "prompt")}
    return {"state": state, "code": grant.code, "scope": " ".join(grant.scopes)}


def _required_field(name: str) -> str:
    if not request.form.get(name):
        raise OAuthError("invalid_request", f"Missing required parameter: {name}")
    return request.form[name]


def _return_errors(handler: Callable[[], Response]) -> Callable[[], Response]:
    def view() -> Response:
        try:
            return handler()
        except OAuthError as error:
            status = 401 if error.error == "invalid_client" else 400
            return json_response({"error": error.error, "error_description": error.description}, status)

    return view
