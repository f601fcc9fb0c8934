"""VK ID: Authlib's client with the consent page, and each error over HTTP."""

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from sandbox.testing import Sandbox
from tests.sandbox.conftest import Callback, until

BACK = "http://127.0.0.1:8000/connections/vk/callback"
CLIENT = "54321000"
VERIFIER = secrets.token_urlsafe(48)


class App:
    """An app with sign-in by VK ID."""

    def __init__(self, sandbox: Sandbox, consent: Callable[..., Callback]) -> None:
        self.url = f"{sandbox.url}/vk-id"
        self._consent = consent
        self.session = OAuth2Session(
            CLIENT,
            redirect_uri=BACK,
            scope="video wall",
            code_challenge_method="S256",
            token_endpoint_auth_method="none",
        )

    def allowed(self, **kwargs: Any) -> Callback:
        url, self.state = self.session.create_authorization_url(f"{self.url}/authorize", code_verifier=VERIFIER)
        return self._consent(url, **kwargs)

    def token(self, **kwargs: Any) -> dict[str, Any]:
        back = self.allowed(**kwargs)
        self.device_id = back.params["device_id"]
        return self.session.fetch_token(
            f"{self.url}/oauth2/auth",
            f"state={self.state}",
            authorization_response=back.url,
            state=self.state,
            code_verifier=VERIFIER,
            device_id=self.device_id,
        )

    def refreshed(self, refresh_token: str) -> dict[str, Any]:
        return self.session.refresh_token(
            f"{self.url}/oauth2/auth",
            refresh_token,
            body=f"state=again&device_id={self.device_id}",
        )

    def call(self, path: str, token: str, **data: str) -> dict[str, Any]:
        url = f"{self.url}/oauth2/{path}?client_id={CLIENT}"
        response = requests.post(url, {"access_token": token} | data, timeout=10)
        assert response.status_code == 200
        return response.json()


@pytest.fixture
def app(sandbox, consent) -> App:
    return App(sandbox, consent)


def authorize_url(sandbox: Sandbox, **changes: str) -> str:
    params = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "state": "abc",
        "code_challenge": create_s256_code_challenge(VERIFIER),
        "code_challenge_method": "S256",
        "scope": "video wall",
    }
    return requests.Request("GET", f"{sandbox.url}/vk-id/authorize", params=params | changes).prepare().url


def test_authlib_gets_a_token(app, sandbox):
    token = app.token()
    assert {name: token[name] for name in ("token_type", "expires_in", "user_id", "scope", "state")} == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "user_id": 1,
        "scope": "video wall",
        "state": app.state,
    }
    assert token["refresh_token"] != token["access_token"]
    assert token["id_token"].count(".") == 2
    user = app.call("user_info", token["access_token"])["user"]
    assert (user["user_id"], user["first_name"], user["last_name"]) == ("1", "Вера", "Демидова")
    assert requests.get(user["avatar"], timeout=10).headers["Content-Type"].startswith("image/svg+xml")
    response = requests.post(
        f"{sandbox.url}/vk-api/method/users.get", {"access_token": token["access_token"], "v": "5.199"}, timeout=10
    )
    assert response.json()["response"][0]["id"] == 1


def test_the_callback_has_vks_parameters(app):
    back = app.allowed()
    assert back.url.startswith(BACK + "?")
    assert set(back.params) == {"code", "state", "device_id", "type", "expires_in"}
    assert (back.params["type"], back.params["expires_in"], back.params["state"]) == ("code_v2", "600", app.state)


def test_the_callback_can_be_one_payload(app, sandbox):
    sandbox.control("options", vk_callback_payload=True)
    back = app.allowed()
    assert set(back.params) == {"payload"}
    payload = json.loads(back.params["payload"])
    assert set(payload) == {"code", "state", "device_id", "type", "expires_in"}
    assert (payload["state"], payload["expires_in"]) == (app.state, 600)
    assert exchange(sandbox, code=payload["code"], device_id=payload["device_id"])["user_id"] == 1


def test_consent_can_be_denied(app):
    back = app.allowed(label="Отказать")
    assert back.params["error"] == "access_denied"
    assert back.params["state"] == app.state
    assert "code" not in back.params


def test_consent_can_be_given_for_another_account(app, sandbox):
    assert app.token(account="2")["user_id"] == 2
    sandbox.control("tokens", platform="vk", token="vk1.a.third", account=77, scopes="video")
    assert app.token(account="77")["user_id"] == 77


def test_an_unknown_account_is_refused(sandbox):
    response = requests.post(authorize_url(sandbox), {"decision": "allow", "account": "404"}, timeout=10)
    assert response.status_code == 400


def test_the_page_shows_the_app_and_its_scopes(sandbox):
    page = requests.get(authorize_url(sandbox), timeout=10).text
    for words in (CLIENT, "127.0.0.1:8000", "Вера Демидова", "Олег Второв", "видеозаписи", "стена"):
        assert words in page
    assert "сообщества" not in page


@pytest.mark.parametrize(
    ("option", "scope"), [("video", "video"), (["wall"], "wall"), ("", ""), ([], ""), (None, "video wall")]
)
def test_scopes_can_be_withheld(app, sandbox, option, scope):
    sandbox.control("options", vk_scopes=option)
    assert app.token()["scope"] == scope


def test_scopes_are_separated_by_spaces(sandbox, consent):
    back = consent(authorize_url(sandbox, scope="video,wall"))
    assert exchange(sandbox, code=back.params["code"], device_id=back.params["device_id"])["scope"] == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"response_type": "token"},
        {"client_id": ""},
        {"redirect_uri": ""},
        {"redirect_uri": "/callback"},
        {"redirect_uri": BACK + "#x"},
        {"state": ""},
        {"code_challenge": ""},
        {"code_challenge": "short"},
        {"code_challenge_method": "plain"},
    ],
)
def test_an_invalid_authorization_request_shows_an_error_page(sandbox, changes):
    response = requests.get(authorize_url(sandbox, **changes), timeout=10)
    assert (response.status_code, "не понимает приложение" in response.text) == (400, True)


def exchange(sandbox: Sandbox, **changes: str | None) -> dict[str, Any]:
    """Sends a token request without a client; None omits a field."""
    fields = {
        "grant_type": "authorization_code",
        "code_verifier": VERIFIER,
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "state": "abc",
    }
    response = requests.post(f"{sandbox.url}/vk-id/oauth2/auth", fields | changes, timeout=10)
    assert response.status_code == 200
    return response.json()


@pytest.mark.parametrize("missing", ["code", "code_verifier", "client_id", "device_id", "redirect_uri", "state"])
def test_a_token_needs_every_field(app, sandbox, missing):
    back = app.allowed()
    fields = {"code": back.params["code"], "device_id": back.params["device_id"]} | {missing: None}
    body = exchange(sandbox, **fields)
    assert (body["error"], body["error_description"]) == ("invalid_request", f"{missing} is missing")
    assert body.get("state") == (None if missing == "state" else "abc")


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 43},
        {"client_id": "1"},
        {"device_id": "other"},
        {"redirect_uri": BACK + "/other"},
        {"code": "unknown"},
    ],
)
def test_a_token_request_must_match_the_code(app, sandbox, changes):
    back = app.allowed()
    fields = {"code": back.params["code"], "device_id": back.params["device_id"]}
    body = exchange(sandbox, **fields | changes)
    assert (body["error"], body["state"]) == ("invalid_grant", "abc")


def test_a_code_works_once(app, sandbox):
    back = app.allowed()
    fields = {"code": back.params["code"], "device_id": back.params["device_id"]}
    assert "access_token" in exchange(sandbox, **fields)
    assert exchange(sandbox, **fields)["error"] == "invalid_grant"


def test_a_code_expires(app, sandbox):
    sandbox.control("options", code_seconds=0)
    back = app.allowed()
    body = exchange(sandbox, code=back.params["code"], device_id=back.params["device_id"])
    assert body["error"] == "invalid_grant"


def test_authlib_raises_on_an_error_with_status_200(app, sandbox):
    sandbox.trouble({"match": "oauth2/auth", "do": "error:invalid_client"})
    with pytest.raises(AuthlibBaseError, match="invalid_client"):
        app.token()


def test_refresh_tokens_rotate(app):
    first = app.token()
    second = app.refreshed(first["refresh_token"])
    assert (second["user_id"], second["scope"], second["state"]) == (1, "video wall", "again")
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    with pytest.raises(AuthlibBaseError, match="invalid_grant"):
        app.refreshed(first["refresh_token"])
    assert "access_token" in app.refreshed(second["refresh_token"])


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"refresh_token": None}, "invalid_request"),
        ({"device_id": None}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"refresh_token": "vk2.a.unknown"}, "invalid_grant"),
        ({"device_id": "other"}, "invalid_grant"),
        ({"client_id": "1"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
    ],
)
def test_a_refresh_needs_every_field(app, sandbox, changes, error):
    fields = {
        "grant_type": "refresh_token",
        "refresh_token": app.token()["refresh_token"],
        "device_id": app.device_id,
    }
    assert exchange(sandbox, **fields | changes)["error"] == error
    assert "access_token" in exchange(sandbox, **fields)


def test_access_tokens_expire_and_refresh(app, sandbox):
    sandbox.control("options", token_seconds=0.3)
    token = app.token()
    assert token["expires_in"] == 0.3
    error = until(lambda: app.call("user_info", token["access_token"]).get("error"))
    assert error == "invalid_token"
    sandbox.control("options", token_seconds=0)
    assert app.refreshed(token["refresh_token"])["expires_in"] == 3600


def test_control_expires_and_revokes(app, sandbox):
    token = app.token()
    sandbox.control("expire", platform="vk", account=1)
    assert app.call("user_info", token["access_token"])["error"] == "invalid_token"
    token = app.refreshed(token["refresh_token"])
    assert "user" in app.call("user_info", token["access_token"])
    sandbox.control("revoke", platform="vk", token=token["access_token"])
    assert app.call("user_info", token["access_token"])["error"] == "invalid_token"
    with pytest.raises(AuthlibBaseError, match="invalid_grant"):
        app.refreshed(token["refresh_token"])


def test_a_refresh_does_not_restore_removed_scopes(app, sandbox):
    token = app.token()
    sandbox.control("rights", platform="vk", token=token["access_token"], scopes=["wall"])
    assert app.refreshed(token["refresh_token"])["scope"] == "wall"


@pytest.mark.parametrize(("path", "other_lives"), [("logout", True), ("revoke", False)])
def test_a_token_can_be_revoked_by_its_app(app, path, other_lives):
    first, second = app.token(), app.token()
    assert app.call(path, first["access_token"]) == {"response": 1}
    assert app.call("user_info", first["access_token"])["error"] == "invalid_token"
    assert ("user" in app.call("user_info", second["access_token"])) is other_lives


def test_a_token_belongs_to_its_app(app, sandbox):
    token = app.token()["access_token"]
    url = f"{sandbox.url}/vk-id/oauth2/user_info"
    for params, error in [({}, "invalid_request"), ({"client_id": "1"}, "invalid_client")]:
        response = requests.post(url, {"access_token": token}, params=params, timeout=10)
        assert (response.status_code, response.json()["error"]) == (200, error)


def test_unknown_methods_and_paths_are_refused_in_vk_ids_format(sandbox):
    for method, path, status in [("GET", "user_info", 405), ("POST", "nothing", 404)]:
        response = requests.request(method, f"{sandbox.url}/vk-id/oauth2/{path}", timeout=10)
        assert (response.status_code, set(response.json())) == (status, {"error", "error_description"})


def test_grants_survive_a_restart(app, session_sandbox):
    back = app.allowed()
    session_sandbox.kill()
    session_sandbox.restart()
    assert exchange(session_sandbox, code=back.params["code"], device_id=back.params["device_id"])["user_id"] == 1
