"""VK ID, OAuth 2.1: https://id.vk.com/about/business/go/docs/ru/vkid/latest/vk-id/connection/api-integration/api-description"""

import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.emulator import Emulator, answer, avatar
from sandbox.oauth import Grant, OAuth, Refused
from sandbox.state import Token
from sandbox.vk.errors import id_refusal

TOKEN_SECONDS = 3600
"""An access token's life, by the vendor's page."""
PREFIX = "vk2.a."

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
        self._world = emulator.world
        self.oauth = OAuth(emulator, "vk", "VK ID", SCOPES, "vk_scopes", self._callback)

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/vk-id/authorize", "authorize", self.oauth.authorize, methods=["GET", "POST"])
        for path, deed in {
            "auth": self._auth,
            "user_info": self._user_info,
            "logout": self._logout,
            "revoke": self._revoke,
        }.items():
            blueprint.add_url_rule(f"/vk-id/oauth2/{path}", path, _refusing(deed), methods=["POST"])

    def _callback(self, grant: Grant, state: str) -> Mapping[str, str]:
        grant.facts["device_id"] = secrets.token_urlsafe(48)
        back = {
            "code": grant.code,
            "state": state,
            "device_id": grant.facts["device_id"],
            "type": "code_v2",
            "expires_in": self._world.options["code_seconds"],
        }
        if self._world.options["vk_callback_payload"]:
            return {"payload": json.dumps(back)}
        return back

    def _auth(self) -> Response:
        match _needed("grant_type"):
            case "authorization_code":
                token = self._first_token()
            case "refresh_token":
                token = self._next_token()
            case other:
                raise Refused("unsupported_grant_type", f"grant_type {other} is not supported")
        return answer(
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
            _needed(name) for name in ("code", "client_id", "code_verifier", "device_id", "redirect_uri", "state")
        )
        grant = self.oauth.redeem(code, client_id, verifier, redirect_uri)
        if grant.facts["device_id"] != device_id:
            raise Refused("invalid_grant", "device_id is invalid")
        return self.oauth.issue(
            PREFIX, grant.account, grant.scopes, TOKEN_SECONDS, client_id=client_id, device_id=device_id
        )

    def _next_token(self) -> Token:
        refresh_token, client_id, device_id, _ = (
            _needed(name) for name in ("refresh_token", "client_id", "device_id", "state")
        )
        old = self.oauth.refreshable(refresh_token, client_id)
        if old.facts["device_id"] != device_id:
            raise Refused("invalid_grant", "device_id is invalid")
        return self.oauth.refresh(old, PREFIX, TOKEN_SECONDS)

    def _user_info(self) -> Response:
        account = self.oauth.account(self._token().account)
        first_name, _, last_name = account.name.partition(" ")
        user = {"user_id": account.id, "first_name": first_name, "last_name": last_name}
        return answer({"user": user | {"avatar": avatar(account.name)}})

    def _logout(self) -> Response:
        """Ends this token and the refresh token that came with it."""
        self._emulator.revoke({"token": self._token().token})
        return answer({"response": 1})

    def _revoke(self) -> Response:
        """Takes back what the user allowed the app: ends all tokens that came of it."""
        token = self._token()
        for other in self._emulator.tokens_of({"account": token.account}):
            if other.facts.get("client_id") == token.facts.get("client_id"):
                self._emulator.revoke({"token": other.token})
        return answer({"response": 1})

    def _token(self) -> Token:
        client_id, token = request.args.get("client_id"), self._emulator.token(_needed("access_token"))
        if not client_id:
            raise Refused("invalid_request", "client_id is missing")
        if token is None or token.revoked or token.expired:
            raise Refused("invalid_token", "access_token is invalid or expired")
        if token.facts.get("client_id", client_id) != client_id:
            raise Refused("invalid_client", "access_token was issued to another client")
        return token


def _needed(name: str) -> str:
    if not request.form.get(name):
        raise Refused("invalid_request", f"{name} is missing")
    return request.form[name]


def _refusing(deed: Callable[[], Response]) -> Callable[[], AnyResponse]:
    def view() -> Response:
        try:
            return deed()
        except Refused as refusal:
            return id_refusal(refusal.error, refusal.description, request.form.get("state"))

    return view


def _id_token(token: Token) -> str:
    """A JWT without a signature: nobody here has a key of VK's."""
    claims: dict[str, Any] = {"iss": "VK", "sub": int(token.account), "exp": int(time.time()) + TOKEN_SECONDS}
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
    return "".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() + "." for part in parts)
