"""TikTok's OAuth: https://developers.tiktok.com/doc/oauth-user-access-token-management"""

import secrets
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from flask import Blueprint, request
from werkzeug.wrappers import Response

from sandbox.emulator import Emulator, json_response
from sandbox.oauth import Grant, OAuth, OAuthError
from sandbox.tiktok.errors import oauth_error

TOKEN_SECONDS = 86_400
REFRESH_SECONDS = 31_536_000
TOKEN_PREFIX = "act."
REFRESH_PREFIX = "rft."
AUTHORIZE = "/tiktok-auth/v2/auth/authorize/"
SCOPES = {
    "user.info.basic": "узнавать вас по номеру",
    "video.publish": "публиковать клипы в вашем профиле",
    "video.upload": "присылать клипы во «Входящие», откуда вы их публикуете сами",
    "video.list": "видеть ваши опубликованные клипы",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Access:
    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = emulator.state
        self.oauth = OAuth(
            emulator,
            "tiktok",
            "TikTok",
            SCOPES,
            "tiktok_scopes",
            _callback,
            client_parameter="client_key",
            scope_separator=",",
        )

    def add_routes(self, blueprint: Blueprint) -> None:
        blueprint.add_url_rule(AUTHORIZE, "authorize", self._authorize, methods=["GET", "POST"])
        for name, handler in {"token": self._token, "revoke": self._revoke}.items():
            blueprint.add_url_rule(f"/tiktok/v2/oauth/{name}/", name, _return_errors(handler), methods=["POST"])

    def _authorize(self) -> Response | str:
        target = urlsplit(request.args.get("redirect_uri", ""))
        if target.scheme != "https" and target.hostname not in LOOPBACK:
            return Response("redirect_uri: TikTok возвращает только на https", 400, mimetype="text/plain")
        return self.oauth.authorize(known_scopes_only=True)

    def _token(self) -> Response:
        if request.mimetype != "application/x-www-form-urlencoded":
            raise OAuthError("invalid_request", "Only `application/x-www-form-urlencoded` is supported.")
        client_key = self._client()
        match _required_field("grant_type"):
            case "authorization_code":
                grant = self.oauth.exchange_code(
                    _required_field("code"),
                    client_key,
                    _required_field("code_verifier"),
                    _required_field("redirect_uri"),
                )
                token = self.oauth.issue(TOKEN_PREFIX, grant.account, grant.scopes, TOKEN_SECONDS, client_id=client_key)
            case "refresh_token":
                old = self.oauth.find_by_refresh_token(_required_field("refresh_token"), client_key)
                token = self.oauth.refresh(old, TOKEN_PREFIX, TOKEN_SECONDS)
            case other:
                raise OAuthError("unsupported_grant_type", f"Grant type is not supported: {other}")
        token.facts["refresh_token"] = REFRESH_PREFIX + secrets.token_urlsafe(48)
        self._emulator.save_token(token)
        return json_response(
            {
                "access_token": token.token,
                "expires_in": token.facts["expires_in"],
                "open_id": token.account,
                "refresh_expires_in": REFRESH_SECONDS,
                "refresh_token": token.facts["refresh_token"],
                "scope": ",".join(token.scopes),
                "token_type": "Bearer",
            }
        )

    def _revoke(self) -> Response:
        """All tokens that the user has given the app; the answer is empty."""
        client_key = self._client()
        token = self._emulator.find_token(_required_field("token"))
        if token is None or token.revoked or token.facts.get("client_id", client_key) != client_key:
            raise OAuthError("invalid_grant", "Access token is invalid or expired")
        for one in self._emulator.select_tokens({"account": token.account}):
            if one.facts.get("client_id") == token.facts.get("client_id"):
                self._emulator.revoke({"token": one.token})
        return Response(status=200)

    def _client(self) -> str:
        client_key, secret = _required_field("client_key"), _required_field("client_secret")
        expected = self._state.options["tiktok_client_secret"]
        if expected and not secrets.compare_digest(secret.encode(), expected.encode()):
            raise OAuthError("invalid_client", "Client secret is incorrect")
        return client_key


def _callback(grant: Grant, state: str) -> Mapping[str, str]:
    return {"code": grant.code, "scopes": ",".join(grant.scopes), "state": state}


def _required_field(name: str) -> str:
    if not request.form.get(name):
        raise OAuthError("invalid_request", f"The request parameters are malformed: {name} is missing")
    return request.form[name]


def _return_errors(handler: Callable[[], Response]) -> Callable[[], Response]:
    def view() -> Response:
        try:
            return handler()
        except OAuthError as error:
            return oauth_error(error.error, error.description, 401 if error.error == "invalid_client" else 400)

    return view
