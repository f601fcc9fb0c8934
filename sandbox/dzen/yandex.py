"""Yandex OAuth, https://yandex.ru/dev/id/doc/ru/, and the user's profile."""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Mapping

from flask import Blueprint, abort, redirect, request
from werkzeug.wrappers import Response

from sandbox.emulator import Emulator, avatar_url, json_response
from sandbox.oauth import Account, Grant, OAuth, OAuthError
from sandbox.state import Token

TOKEN_SECONDS = 365 * 24 * 3600
"""https://yandex.ru/dev/id/doc/ru/tokens/token-lifetime"""
TOKEN_PREFIX = "y0_"
AVATAR_SUFFIX = "-1"
CODE = re.compile(r"[0-9a-f]{32}")
"""The format of our codes: any other is a `bad_verification_code`."""

SCOPES = {
    "login:info": "логин, имя и фамилия",
    "login:avatar": "портрет",
    "login:email": "адрес почты",
    "zen:write": "Дзен: публиковать ролики от вашего имени",
    "zen:read": "Дзен: видеть ваши ролики и их статистику",
}


class Yandex:
    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self.oauth = OAuth(emulator, "yandex", "Яндекс ID", SCOPES, "yandex_scopes", _callback)

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule("/yandex-oauth/authorize", "authorize", self._authorize, methods=["GET", "POST"])
        blueprint.add_url_rule("/yandex-oauth/token", "token", _return_errors(self._token), methods=["POST"])
        blueprint.add_url_rule("/yandex-oauth/revoke_token", "revoke", _return_errors(self._revoke), methods=["POST"])
        blueprint.add_url_rule("/yandex-login/info", "info", self._info)
        blueprint.add_url_rule("/yandex-avatars/get-yapic/<group>/<number>/islands-200", "avatar", self._avatar)

    def _authorize(self) -> Response | str:
        return self.oauth.authorize(known_scopes_only=True)

    def _token(self) -> Response:
        client_id = self._client()
        match _required_field("grant_type"):
            case "authorization_code":
                token, asked = self._first_token(client_id)
            case "refresh_token":
                old = self.oauth.find_by_refresh_token(_required_field("refresh_token"), client_id)
                token = self.oauth.refresh(old, TOKEN_PREFIX, TOKEN_SECONDS)
                asked = token.scopes
            case other:
                raise OAuthError("unsupported_grant_type", f"grant_type {other} is not supported")
        body = {
            "access_token": token.token,
            "refresh_token": token.facts["refresh_token"],
            "expires_in": token.facts["expires_in"],
            "token_type": "bearer",
        }
        # Yandex returns the scopes only if it granted fewer than were requested.
        return json_response(body if token.scopes == asked else body | {"scope": " ".join(token.scopes)})

    def _first_token(self, client_id: str) -> tuple[Token, list[str]]:
        """Returns the token and the requested scopes."""
        code = _required_field("code")
        if not CODE.fullmatch(code):
            raise OAuthError("bad_verification_code", "Invalid code")
        grant = self.oauth.exchange_code(
            code, client_id, _required_field("code_verifier"), request.form.get("redirect_uri")
        )
        token = self.oauth.issue(TOKEN_PREFIX, grant.account, grant.scopes, TOKEN_SECONDS, client_id=client_id)
        return token, grant.asked

    def _revoke(self) -> Response:
        client_id = self._client()
        token = self._emulator.find_token(_required_field("access_token"))
        if token is None or token.facts.get("client_id", client_id) != client_id:
            raise OAuthError("invalid_grant", "The token was not issued to this client")
        self._emulator.revoke({"token": token.token})
        return json_response({"status": "ok"})

    def _info(self) -> Response:
        """https://yandex.ru/dev/id/doc/ru/user-information"""
        token = self._emulator.authorized("OAuth")
        if token is None:
            return json_response(
                {"error": "invalid_token", "error_description": "The token is invalid or expired"}, 401
            )
        if request.args.get("format", "json") != "json":
            error = {"error": "invalid_request", "error_description": "the emulator knows only format=json"}
            return json_response(error, 400)
        account = self.oauth.account(token.account)
        profile = {"id": account.id, "login": account.login, "client_id": token.facts.get("client_id", "")}
        if "login:info" in token.scopes:
            profile |= {"display_name": account.name, "real_name": account.name}
        if "login:avatar" in token.scopes:
            profile |= {"default_avatar_id": _avatar_id(account), "is_avatar_empty": False}
        return json_response(profile)

    def _avatar(self, group: str, number: str) -> Response:
        account = self.oauth.account(number.removesuffix(AVATAR_SUFFIX))
        if account is None or _avatar_id(account) != f"{group}/{number}":
            abort(404)
        return redirect(avatar_url(account.name))

    def _client(self) -> str:
        """Returns the client id, authenticated by its secret in the form or by Basic. Raises OAuthError."""
        client_id, secret = request.form.get("client_id", ""), request.form.get("client_secret", "")
        if request.headers.get("Authorization", "").startswith("Basic "):
            client_id, secret = _basic_credentials(request.headers["Authorization"])
        if not client_id or not secret:
            raise OAuthError("invalid_client", "client_id and client_secret are needed")
        expected = self._state.options["yandex_client_secret"]
        if expected and not secrets.compare_digest(secret.encode(), expected.encode()):
            raise OAuthError("invalid_client", "Wrong client secret")
        return client_id


def _avatar_id(account: Account) -> str:
    return f"{account.id[-4:]}/{account.id}{AVATAR_SUFFIX}"


def _callback(grant: Grant, state: str) -> Mapping[str, str]:
    return {"code": grant.code, "state": state}


def _required_field(name: str) -> str:
    if not request.form.get(name):
        raise OAuthError("invalid_request", f"{name} not set")
    return request.form[name]


def _basic_credentials(header: str) -> tuple[str, str]:
    """https://www.rfc-editor.org/rfc/rfc7617. Returns empty strings for an invalid header."""
    try:
        client_id, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client_id, secret


def _return_errors(handler: Callable[[], Response]) -> Callable[[], Response]:
    def view() -> Response:
        try:
            return handler()
        except OAuthError as error:
            return json_response({"error": error.error, "error_description": error.description}, 400)

    return view
