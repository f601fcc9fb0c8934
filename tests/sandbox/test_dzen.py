"""Дзен: Yandex OAuth with Authlib's client, and HTTP requests to the assumed partner API."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session

from sandbox.testing import Sandbox
from tests.sandbox.conftest import Callback, sha256

BACK = "http://127.0.0.1:8000/connections/dzen/callback"
SCOPE = "login:info login:avatar zen:write zen:read"
VERIFIER = secrets.token_urlsafe(48)
TOKEN = "y0_known"


class App:
    """An app with sign-in by Yandex."""

    def __init__(
        self, sandbox: Sandbox, consent: Callable[..., Callback], auth: str = "client_secret_post", scope: str = SCOPE
    ) -> None:
        self.url = f"{sandbox.url}/yandex-oauth"
        self.consent = consent
        self.session = OAuth2Session(
            "app-1",
            "app-secret",
            redirect_uri=BACK,
            scope=scope,
            code_challenge_method="S256",
            token_endpoint_auth_method=auth,
            revocation_endpoint_auth_method="client_secret_post",
        )

    def allowed(self, **kwargs: Any) -> Callback:
        url, self.state = self.session.create_authorization_url(f"{self.url}/authorize", code_verifier=VERIFIER)
        return self.consent(url, **kwargs)

    def token(self, **kwargs: Any) -> dict[str, Any]:
        back = self.allowed(**kwargs)
        return self.session.fetch_token(
            f"{self.url}/token", authorization_response=back.url, state=self.state, code_verifier=VERIFIER
        )

    def post(self, path: str, **form: str) -> requests.Response:
        client = {"client_id": "app-1", "client_secret": "app-secret"}
        return requests.post(f"{self.url}/{path}", {**client, **form}, timeout=10)


@pytest.fixture
def app(sandbox, consent) -> App:
    return App(sandbox, consent)


@pytest.mark.parametrize("auth", ["client_secret_post", "client_secret_basic"])
def test_authlib_gets_a_token(sandbox, consent, auth):
    token = App(sandbox, consent, auth).token()
    assert token["token_type"] == "bearer"
    assert token["expires_in"] == 365 * 24 * 3600
    assert token["refresh_token"] != token["access_token"]
    assert "scope" not in token, "Yandex returns scopes only if it grants fewer"


def test_the_profile_has_a_name_and_a_portrait(app, sandbox):
    token = app.token()["access_token"]
    body = requests.get(
        f"{sandbox.url}/yandex-login/info", {"format": "json"}, headers={"Authorization": f"OAuth {token}"}, timeout=10
    ).json()
    assert (body["id"], body["display_name"], body["login"]) == ("1130000001", "Ирина Волкова", "irina.volkova")
    avatar = f"{sandbox.url}/yandex-avatars/get-yapic/{body['default_avatar_id']}/islands-200"
    assert requests.get(avatar, timeout=10).headers["Content-Type"].startswith("image/svg+xml")
    assert requests.get(avatar.replace("1130000001", "1130000009"), timeout=10).status_code == 404


def test_the_profile_has_only_granted_fields(sandbox, consent):
    token = App(sandbox, consent, scope="zen:read").token()["access_token"]
    body = requests.get(
        f"{sandbox.url}/yandex-login/info", headers={"Authorization": f"OAuth {token}"}, timeout=10
    ).json()
    assert "display_name" not in body and "default_avatar_id" not in body


@pytest.mark.parametrize("authorization", ["", "OAuth unknown", "Bearer unknown"])
def test_the_profile_needs_a_token(sandbox, authorization):
    response = requests.get(f"{sandbox.url}/yandex-login/info", headers={"Authorization": authorization}, timeout=10)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")


def test_consent_can_be_denied_or_given_for_another_account(app):
    assert app.allowed(label="Отказать").params["error"] == "access_denied"
    back = app.allowed(account="1130000002")
    assert set(back.params) == {"code", "state"}


def test_withheld_scopes_are_named(app, sandbox):
    sandbox.control("options", yandex_scopes="login:info")
    assert app.token()["scope"] == "login:info"


def test_an_unknown_scope_is_refused(sandbox, consent):
    with pytest.raises(requests.HTTPError):
        App(sandbox, consent, scope="zen:everything").allowed()


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "short", "code_verifier": VERIFIER}, "bad_verification_code"),
        ({"grant_type": "authorization_code", "code": "0" * 32, "code_verifier": VERIFIER}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "y0_unknown"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "x", "client_id": ""}, "invalid_client"),
        ({"grant_type": "refresh_token", "refresh_token": "x", "client_secret": ""}, "invalid_client"),
    ],
)
def test_token_refusals(app, form, error):
    response = app.post("token", **form)
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert response.json()["error_description"]


def test_a_code_works_once_and_with_its_own_verifier(app):
    code = app.allowed().params["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    assert app.post("token", **form, code_verifier=VERIFIER[::-1]).json()["error"] == "invalid_grant"
    assert app.post("token", **form, code_verifier=VERIFIER).json()["error"] == "invalid_grant", "it is used up"


def test_a_wrong_secret(app, sandbox):
    sandbox.control("options", yandex_client_secret="another")
    with pytest.raises(AuthlibBaseError, match="invalid_client"):
        app.token()


def test_a_refresh_gives_a_new_pair_once(app):
    token = app.token()
    fresh = app.session.refresh_token(f"{app.url}/token", token["refresh_token"])
    assert fresh["refresh_token"] != token["refresh_token"]
    with pytest.raises(AuthlibBaseError, match="invalid_grant"):
        app.session.refresh_token(f"{app.url}/token", token["refresh_token"])


def test_a_revoked_token_is_invalid(app, sandbox):
    token = app.token()
    assert app.post("revoke_token", access_token=token["access_token"]).json() == {"status": "ok"}
    response = requests.get(
        f"{sandbox.url}/yandex-login/info", headers={"Authorization": f"OAuth {token['access_token']}"}, timeout=10
    )
    assert response.status_code == 401
    assert app.post("revoke_token", access_token="y0_unknown").json()["error"] == "invalid_grant"


# The partner API


class Author:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def call(self, method: str, path: str, token: str = TOKEN, **kwargs: Any) -> requests.Response:
        headers = {"Authorization": f"OAuth {token}"}
        return requests.request(
            method, f"{self.sandbox.url}/dzen/publisher/{path}", headers=headers, timeout=10, **kwargs
        )

    def draft(self, **changes: Any) -> requests.Response:
        fields = {"title": "Закат", "description": "Волга", "type": "short", **changes}
        return self.call("POST", "videos/drafts", json={name: one for name, one in fields.items() if one is not None})

    def upload(self, address: str, data: bytes, content_type: str = "video/mp4") -> requests.Response:
        return requests.put(address, data, headers={"Content-Type": content_type}, timeout=10)


@pytest.fixture
def author(sandbox) -> Author:
    sandbox.control("tokens", platform="dzen", token=TOKEN, account="7", scopes="zen:write zen:read")
    sandbox.control("options", processing_seconds=0)
    return Author(sandbox)


def test_from_a_draft_to_a_published_video(author, sandbox, clip):
    draft = author.draft().json()
    assert author.call("GET", f"videos/{draft['id']}").json()["status"] == "draft"
    assert author.upload(draft["upload_url"], clip).status_code == 200
    assert sandbox.posts == []
    done = author.call("POST", f"videos/{draft['id']}/publish").json()
    shown = author.call("GET", f"videos/{draft['id']}").json()
    assert (shown["status"], shown["url"]) == ("published", done["url"])
    assert shown["statistics"] == {"views": 0, "likes": 0, "shares": 0}
    [post] = sandbox.posts
    assert (post["sha256"], post["url"], post["account"]) == (sha256(clip), done["url"], "7")
    assert "<video" in requests.get(done["url"], timeout=10).text


def test_counts_are_shown(author, sandbox, clip):
    draft = author.draft().json()
    author.upload(draft["upload_url"], clip)
    author.call("POST", f"videos/{draft['id']}/publish")
    assert author.call("GET", f"videos/{draft['id']}").json()["status"] == "published"
    sandbox.control("stats", platform="dzen", id=draft["id"], views=1200, likes=30, shares=None)
    shown = author.call("GET", f"videos/{draft['id']}").json()
    assert shown["statistics"] == {"views": 1200, "likes": 30, "shares": None}


def test_a_published_video_is_processed_first(author, sandbox, clip):
    sandbox.control("options", processing_seconds=60)
    draft = author.draft().json()
    author.upload(draft["upload_url"], clip)
    author.call("POST", f"videos/{draft['id']}/publish")
    assert author.call("GET", f"videos/{draft['id']}").json()["status"] == "processing"
    assert sandbox.posts == []


def test_moderation_rejects(author, sandbox, clip):
    sandbox.control("options", moderation=True)
    draft = author.draft().json()
    author.upload(draft["upload_url"], clip)
    author.call("POST", f"videos/{draft['id']}/publish")
    assert author.call("GET", f"videos/{draft['id']}").json()["status"] == "rejected"
    assert sandbox.posts == []


def refused(response: requests.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert error["message"]
    return response.status_code, error["code"]


@pytest.mark.parametrize(
    "changes", [{"title": None}, {"title": " "}, {"description": None}, {"description": 7}, {"type": "long"}]
)
def test_a_draft_needs_every_field(author, changes):
    assert refused(author.draft(**changes)) == (400, "bad_request")


def test_published_twice_is_a_conflict(author, clip):
    draft = author.draft().json()
    author.upload(draft["upload_url"], clip)
    author.call("POST", f"videos/{draft['id']}/publish")
    assert refused(author.call("POST", f"videos/{draft['id']}/publish")) == (409, "already_published")
    assert refused(author.upload(draft["upload_url"], clip)) == (409, "already_published")


def test_nothing_is_published_without_its_file(author):
    draft = author.draft().json()
    assert refused(author.call("POST", f"videos/{draft['id']}/publish")) == (400, "no_file")


def test_an_upload_needs_its_type_its_address_and_bytes(author, sandbox, clip):
    address = author.draft().json()["upload_url"]
    assert refused(author.upload(address, clip, "video/quicktime"))[0] == 415
    assert refused(author.upload(address + "x", clip))[0] == 404
    assert refused(author.upload(address, b""))[0] == 400
    sandbox.control("options", dzen_max_mb=0.001)
    assert refused(author.upload(address, clip)) == (413, "too_large")


def test_tokens_and_their_rights(author, sandbox):
    assert refused(author.call("GET", "videos/1", token="y0_unknown")) == (401, "unauthorized")
    assert refused(author.call("GET", "videos/1")) == (404, "not_found")
    sandbox.control("rights", platform="dzen", token=TOKEN, scopes="zen:read")
    assert refused(author.draft()) == (403, "forbidden")
    sandbox.control("expire", platform="dzen", token=TOKEN)
    assert refused(author.draft()) == (401, "unauthorized")


def test_a_video_of_another_account_is_not_found(author, sandbox):
    number = author.draft().json()["id"]
    sandbox.control("tokens", platform="dzen", token="y0_other", account="8", scopes="zen:write zen:read")
    assert refused(author.call("POST", f"videos/{number}/publish", token="y0_other")) == (404, "not_found")


def test_the_rate_limit_can_be_switched_on(author, sandbox):
    sandbox.control("options", rate_limits=True, dzen_rate_limits=True)
    responses = [author.call("GET", "videos/1") for _ in range(6)]
    assert refused(responses[-1]) == (429, "too_many_requests")
    assert int(responses[-1].headers["Retry-After"]) >= 1


def test_faults_have_the_format_of_each_part(author, sandbox, app):
    sandbox.trouble({"match": "/dzen/", "do": "status:429", "retry_after": 7})
    response = author.draft()
    assert (refused(response), response.headers["Retry-After"]) == ((429, "too_many_requests"), "7")
    sandbox.trouble({"match": "yandex-oauth/token", "do": "error:invalid_client"})
    assert app.post("token").json()["error"] == "invalid_client"
