"""OK's OAuth: https://apiok.ru/en/ext/oauth/server"""

import secrets
import time
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from sandbox.emulator import Emulator, json_response
from sandbox.oauth import Grant, OAuth, OAuthError
from sandbox.ok.call import LONG_SCOPE, LONG_SECONDS
from sandbox.state import Token

CODE_SECONDS = 120
TOKEN_SECONDS = 1800
TOKEN_PREFIX = "-n-"
SCOPES = {
    "VALUABLE_ACCESS": "основные данные вашего профиля",
    LONG_SCOPE: "доступ надолго",
    "GROUP_CONTENT": "группы: публиковать в них темы",
    "VIDEO_CONTENT": "видео: загружать и изменять",
    "PHOTO_CONTENT": "фотографии",
    "GET_EMAIL": "адрес почты",
}


class Connect:
    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self.oauth = OAuth(emulator, "ok", "Одноклассники", SCOPES, "ok_scopes", _callback, scope_separator=";")

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/ok-auth/oauth/authorize", "authorize", self._authorize, methods=["GET", "POST"])
        blueprint.add_url_rule("/ok-api/oauth/token.do", "token", self._respond, methods=["POST"])

    def _authorize(self) -> Any:
        return self.oauth.authorize(known_scopes_only=True)

    def _respond(self) -> Response:
        try:
            return json_response(self._token())
        except OAuthError as error:
            return json_response({"error": error.error, "error_description": error.description}, 400)

    def _token(self) -> dict[str, str]:
        client_id = _required("client_id")
        given = (client_id, _required("client_secret"))
        if given != (self._emulator.option("client_id"), self._emulator.option("client_secret")):
            raise OAuthError("invalid_client", "client_id or client_secret is wrong")
        match _required("grant_type"):
            case "authorization_code":
                grant = self.oauth.exchange_code(
                    _required("code"), client_id, _required("code_verifier"), _required("redirect_uri")
                )
                token = self.oauth.issue(
                    TOKEN_PREFIX, grant.account, grant.scopes, _lifetime(grant.scopes), client_id=client_id
                )
                named = True
            case "refresh_token":
                old = self.oauth.find_by_refresh_token(_required("refresh_token"), client_id)
                named = self._emulator.option("rotates_refresh")
                token = self.oauth.refresh(old, TOKEN_PREFIX, _lifetime(old.scopes)) if named else self._next(old)
            case other:
                raise OAuthError("unsupported_grant_type", f"grant_type {other} is not supported")
        answer = {
            "access_token": token.token,
            "token_type": "session",
            "expires_in": str(token.facts["expires_in"]),  # a string
        }
        return answer | ({"refresh_token": token.facts["refresh_token"]} if named else {})

    def _next(self, old: Token) -> Token:
        """The refresh token stays the same."""
        lifetime = self._state.options["token_seconds"] or _lifetime(old.scopes)
        facts = {**old.facts, "expires_in": lifetime}
        facts.pop("prolonged_at", None)
        name = TOKEN_PREFIX + secrets.token_urlsafe(48)
        token = Token(old.platform, name, old.account, list(old.scopes), time.time() + lifetime, facts=facts)
        with self._state.lock:
            self._emulator.save_token(token)
        return token


def _lifetime(scopes: list[str]) -> int:
    return LONG_SECONDS if LONG_SCOPE in scopes else TOKEN_SECONDS


def _callback(grant: Grant, state: str) -> Mapping[str, str]:
    grant.expires_at = min(grant.expires_at, time.time() + CODE_SECONDS)
    return {"code": grant.code, "state": state, "permissions_granted": ";".join(grant.scopes)}


def _required(name: str) -> str:
    if not request.values.get(name):
        raise OAuthError("invalid_request", f"{name} is missing")
    return request.values[name]
