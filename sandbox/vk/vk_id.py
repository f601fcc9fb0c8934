"""VK ID, OAuth 2.1: https://id.vk.com/about/business/go/docs/ru/vkid/latest/vk-id/connection/api-integration/api-description"""

import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.emulator import Emulator, avatar_url, json_response
from sandbox.oauth import Grant, OAuth, OAuthError
from sandbox.state import Token
from sandbox.vk.errors import id_error

TOKEN_SECONDS = 3600
"""Lifetime of an access token, from the vendor's page."""
TOKEN_PREFIX = "vk2.a."

SCOPES = {
    "video": "видеозаписи: загружать, изменять и удалять",
    "wall": "стена: публиковать записи от вашего имени",
    "groups": "сообщества: видеть список ваших сообществ",
    "photos": "фотографии",
    "docs": "документы",
    "stories": "истории",
    "stats": "статистика сообществ",
    "email": "адрес почты",
    "phone": "номер телефона",
    "offline": "доступ в любое время",
}


class VkId:
    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self.oauth = OAuth(emulator, "vk", "VK ID", SCOPES, "vk_scopes", self._callback)

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/vk-id/authorize", "authorize", self.oauth.authorize, methods=["GET", "POST"])
        for path, handler in {
            "auth": self._auth,
            "user_info": self._user_info,
            "logout": self._logout,
            "revoke": self._revoke,
        }.items():
            blueprint.add_url_rule(f"/vk-id/oauth2/{path}", path, _return_errors(handler), methods=["POST"])

    def _callback(self, grant: Grant, state: str) -> Mapping[str, str]:
        grant.facts["device_id"] = secrets.token_urlsafe(48)
        params = {
            "code": grant.code,
            "state": state,
            "device_id": grant.facts["device_id"],
            "type": "code_v2",
            "expires_in": self._state.options["code_seconds"],
        }
        if self._state.options["vk_callback_payload"]:
            return {"payload": json.dumps(params)}
        return params

    def _auth(self) -> Response:
        match _required_field("grant_type"):
            case "authorization_code":
                token = self._first_token()
            case "refresh_token":
                token = self._next_token()
            case other:
                raise OAuthError("unsupported_grant_type", f"grant_type {other} is not supported")
        return json_response(
            {
                "access_token": token.token,
                "refresh_token": token.facts["refresh_token"],
                "id_token": _id_token(token),
                "token_type": "Bearer",
                "expires_in": token.facts["expires_in"],
                "user_id": int(token.account),
                "state": request.form["state"],
                "scope": " ".join(token.scopes),
            }
        )

    def _first_token(self) -> Token:
        code, client_id, verifier, device_id, redirect_uri, _ = (
            _required_field(name)
            for name in ("code", "client_id", "code_verifier", "device_id", "redirect_uri", "state")
        )
        grant = self.oauth.exchange_code(code, client_id, verifier, redirect_uri)
        if grant.facts["device_id"] != device_id:
            raise OAuthError("invalid_grant", "device_id is invalid")
        return self.oauth.issue(
            TOKEN_PREFIX, grant.account, grant.scopes, TOKEN_SECONDS, client_id=client_id, device_id=device_id
        )

    def _next_token(self) -> Token:
        refresh_token, client_id, device_id, _ = (
            _required_field(name) for name in ("refresh_token", "client_id", "device_id", "state")
        )
        old = self.oauth.find_by_refresh_token(refresh_token, client_id)
        if old.facts["device_id"] != device_id:
            raise OAuthError("invalid_grant", "device_id is invalid")
        return self.oauth.refresh(old, TOKEN_PREFIX, TOKEN_SECONDS)

    def _user_info(self) -> Response:
        account = self.oauth.account(self._token().account)
        first_name, _, last_name = account.name.partition(" ")
        user = {"user_id": account.id, "first_name": first_name, "last_name": last_name}
        return json_response({"user": user | {"avatar": avatar_url(account.name)}})

    def _logout(self) -> Response:
        """Revokes this token and its refresh token."""
        self._emulator.revoke({"token": self._token().token})
        return json_response({"response": 1})

    def _revoke(self) -> Response:
        """Revokes all tokens of the app for this user."""
        token = self._token()
        for other in self._emulator.select_tokens({"account": token.account}):
            if other.facts.get("client_id") == token.facts.get("client_id"):
                self._emulator.revoke({"token": other.token})
        return json_response({"response": 1})

    def _token(self) -> Token:
        client_id, token = request.args.get("client_id"), self._emulator.find_token(_required_field("access_token"))
        if not client_id:
            raise OAuthError("invalid_request", "client_id is missing")
        if token is None or token.revoked or token.expired:
            raise OAuthError("invalid_token", "access_token is invalid or expired")
        if token.facts.get("client_id", client_id) != client_id:
            raise OAuthError("invalid_client", "access_token was issued to another client")
        return token


def _required_field(name: str) -> str:
    if not request.form.get(name):
        raise OAuthError("invalid_request", f"{name} is missing")
    return request.form[name]


def _return_errors(handler: Callable[[], Response]) -> Callable[[], AnyResponse]:
    def view() -> Response:
        try:
            return handler()
        except OAuthError as error:
            return id_error(error.error, error.description, request.form.get("state"))

    return view


def _id_token(token: Token) -> str:
    """Returns an unsigned JWT: there is no key of VK here."""
    claims: dict[str, Any] = {"iss": "VK", "sub": int(token.account), "exp": int(time.time()) + TOKEN_SECONDS}
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
    return "".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() + "." for part in parts)
