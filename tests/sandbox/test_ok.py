"""OK's emulator: by the public client ok_api, unchanged, and on the wire where that is too polite."""

import hashlib
import json
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

import ok_api
import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.sandbox.conftest import sha256

TOKEN, KEY, SECRET, CLIENT = "-n-vezde-demo", "CVEZDEDEMOBABABA", "vezde-demo-secret", "512000000001"
GROUP, READ_ONLY = "53010000000001", "53010000000003"
SCOPES = ("VALUABLE_ACCESS", "LONG_ACCESS_TOKEN", "GROUP_CONTENT", "VIDEO_CONTENT")
BYTES = bytes(range(256)) * 64  # 16 KiB
VERIFIER = "v" * 43
CHALLENGE = "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM"
BACK = "http://127.0.0.1:8000/settings/integrations/ok/callback"


class ToSandbox(HTTPAdapter):
    """Redirects requests for OK's host to the sandbox."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request, **kwargs):
        request.url = f"{self._url}/ok-api{urlsplit(request.url).path}"
        return super().send(request, **kwargs)


@pytest.fixture
def ok(sandbox, monkeypatch):
    """`ok_api` opens a session for each call; only the host of its requests differs."""
    session = requests.Session()
    session.mount("https://api.ok.ru", ToSandbox(sandbox.url))
    monkeypatch.setattr(ok_api.OkApi, "http", property(lambda _: session))
    return lambda token=TOKEN, secret=SECRET: ok_api.OkApi(token, KEY, secret)


def sign(params: dict[str, str], token: str = TOKEN, secret: str = SECRET) -> str:
    text = "".join(f"{name}={params[name]}" for name in sorted(params))
    return hashlib.md5((text + hashlib.md5((token + secret).encode()).hexdigest()).encode()).hexdigest()


@pytest.fixture
def call(sandbox):
    """A call with a right signature, unless `sent` replaces parts of it; by GET or POST."""

    def make(method: str, token: str = TOKEN, sent: dict[str, Any] | None = None, get: bool = False, **params) -> Any:
        signed = {**{name: str(value) for name, value in params.items()}, "application_key": KEY, "format": "json"}
        all_of_it = {
            **signed,
            "access_token": token,
            "sig": sign({**signed, "method": method}, token),
            **(sent or {}),
        }
        form = {name: value for name, value in all_of_it.items() if value is not None}
        url = f"{sandbox.url}/ok-api/fb.do?{urlencode({'method': method})}"
        response = requests.get(url, form, timeout=10) if get else requests.post(url, form, timeout=10)
        assert response.status_code == 200, "errors too"
        return response.json()

    return make


def attachment(*videos: str, text: str = "Закат") -> str:
    return json.dumps(
        {"media": [{"type": "text", "text": text}, {"type": "movie", "list": [{"id": v} for v in videos]}]}
    )


def send(url: str, data: bytes = BYTES, field: str = "data") -> requests.Response:
    return requests.post(url, files={field: ("clip.mp4", data, "video/mp4")}, timeout=10)


@pytest.fixture
def uploaded(call):
    """The number of a video that has its bytes and is not updated."""

    def make(data: bytes = BYTES, field: str = "data") -> str:
        asked = {"gid": GROUP, "file_name": "clip.mp4", "file_size": len(data), "post_form": "true"}
        made = call("video.getUploadUrl", **asked)
        assert send(made["upload_url"], data, field).text == "<retval>1</retval>"
        return str(made["video_id"])

    return make


# The public client


def test_a_video_and_a_topic_by_a_public_client(ok, sandbox, clip):
    api = ok()
    groups = api.group.getUserGroupsV2(count=100).json()["groups"]
    assert {group["groupId"]: group["status"] for group in groups}[GROUP] == "ADMIN"
    [info] = api.group.getInfo(uids=GROUP, fields="uid,name,pic_avatar").json()
    assert info["name"] == "Волжские закаты" and info["pic_avatar"].startswith("http")
    made = api.video.getUploadUrl(gid=GROUP, file_name="clip.mp4", file_size=len(clip), post_form="true").json()
    number = str(made["video_id"])
    assert send(made["upload_url"], clip, field="0_clip").ok
    [draft] = sandbox.drafts
    assert (draft["id"], draft["sha256"]) == (number, sha256(clip))
    [item] = api.video.get(vids=number, fields="video.*").json()["videos"]
    assert item["title"] == "clip.mp4", "who may post sees it before it is updated"

    assert api.video.update(vid=number, title="Закат", description="Над Волгой", privacy="PUBLIC").text == "null"
    [post] = sandbox.posts
    assert (post["id"], post["account"], post["title"], post["sha256"]) == (number, GROUP, "Закат", sha256(clip))
    assert post["url"].endswith(f"/ok-web/video/{number}")
    topic = api.mediatopic.post(gid=GROUP, type="GROUP_THEME", attachment=attachment(number)).json()
    assert isinstance(topic, str), "a bare string"
    [post] = sandbox.posts
    assert post["url"] == f"{sandbox.url}/ok-web/group/{GROUP}/topic/{topic}"
    assert requests.get(post["url"], timeout=10).ok
    [newest] = api.mediatopic.getTopics(gid=GROUP, count=50, fields="media_topic.*").json()["media_topics"]
    assert newest["id"] == topic
    assert newest["media"][1] == {"type": "movie", "movie_refs": [f"movie:{number}"]}
    sandbox.control("stats", platform="ok", id=number, views=70, likes=5)
    [counted] = api.video.get(vids=number, fields="video.id,video.total_views,video.like_summary").json()["videos"]
    assert (counted["total_views"], counted["like_summary"]["count"]) == (70, 5)
    assert "title" not in counted, "what was not asked for is not there"


def test_the_public_clients_signature_with_another_secret_is_refused(ok):
    assert ok().users.getCurrentUser().json()["uid"] == "1"
    assert ok(secret="wrong").users.getCurrentUser().json()["error_code"] == 104


# The signature


def test_get_and_post_are_alike(call):
    assert call("users.getCurrentUser") == call("users.getCurrentUser", get=True)
    assert call("group.getInfo", uids=GROUP, fields="name") == [{"name": "Волжские закаты"}]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"sig": None}, 104),
        ({"sig": ""}, 104),
        ({"sig": sign({"application_key": KEY, "format": "json", "method": "users.getCurrentUser"}).upper()}, 104),
        # The access token is left out of it.
        (
            {
                "sig": sign(
                    {"application_key": KEY, "format": "json", "method": "users.getCurrentUser", "access_token": TOKEN}
                )
            },
            104,
        ),
        # So is no other parameter, and their order is that of the names.
        ({"sig": sign({"application_key": KEY, "method": "users.getCurrentUser"})}, 104),
        ({"fields": "uid"}, 104),
        ({"application_key": None}, 101),
        ({"application_key": "CUNKNOWN"}, 101),
        ({"access_token": "-n-unknown", "sig": None}, 104),
    ],
)
def test_refusals_of_a_call(call, sent, code):
    refused = call("users.getCurrentUser", sent=sent)
    assert refused["error_code"] == code
    assert refused["error_msg"].split(" : ")[0] == {101: "PARAM_API_KEY", 104: "PARAM_SIGNATURE"}[code]


def test_a_signature_in_another_order_is_refused(sandbox):
    params = {"method": "users.getCurrentUser", "format": "json", "application_key": KEY}
    session_secret = hashlib.md5((TOKEN + SECRET).encode()).hexdigest()
    backwards = "".join(f"{name}={params[name]}" for name in sorted(params, reverse=True))
    sig = hashlib.md5((backwards + session_secret).encode()).hexdigest()
    form = {**params, "access_token": TOKEN, "sig": sig}
    answer = requests.post(f"{sandbox.url}/ok-api/fb.do", form, timeout=10).json()
    assert answer["error_code"] == 104


def test_sessions(call, sandbox):
    assert call("users.getCurrentUser", token="-n-unknown")["error_code"] == 103
    sandbox.control("revoke", platform="ok", account=GROUP)
    assert call("users.getCurrentUser")["error_code"] == 103, "those of who may post in the group"
    sandbox.reset()
    sandbox.control("expire", platform="ok", token=TOKEN)
    assert call("users.getCurrentUser")["error_code"] == 102


def test_a_long_session_that_is_used_lives_on(call, sandbox):
    for token, scopes in (("-n-long", SCOPES), ("-n-idle", SCOPES), ("-n-short", SCOPES[:1])):
        sandbox.control("tokens", platform="ok", token=token, account="1", scopes=list(scopes), expires_in=1)
    assert call("users.getCurrentUser", token="-n-long")["uid"] == "1"
    assert call("users.getCurrentUser", token="-n-short")["uid"] == "1"
    time.sleep(1.05)
    assert call("users.getCurrentUser", token="-n-long")["uid"] == "1"
    assert call("users.getCurrentUser", token="-n-idle")["error_code"] == 102
    assert call("users.getCurrentUser", token="-n-short")["error_code"] == 102


@pytest.mark.parametrize(
    ("method", "right", "params"),
    [
        ("group.getUserGroupsV2", "GROUP_CONTENT", {}),
        ("video.getUploadUrl", "VIDEO_CONTENT", {"gid": GROUP, "file_name": "a.mp4"}),
        ("mediatopic.post", "GROUP_CONTENT", {"gid": GROUP}),
        ("users.getCurrentUser", "VALUABLE_ACCESS", {}),
    ],
)
def test_rights(call, sandbox, method, right, params):
    sandbox.control("rights", platform="ok", token=TOKEN, scopes=[one for one in SCOPES if one != right])
    assert call(method, **params)["error_code"] == 10


# Videos


@pytest.mark.parametrize(
    ("params", "code", "says"),
    [
        ({"file_size": 16383}, 100, "FileToSmall"),
        ({"file_size": (1 << 30) + 1}, 100, "FileToLarge"),
        ({"file_name": "clip.txt"}, 100, "BadFormat"),
        ({"file_name": ""}, 100, "file_name"),
        ({"post_form": "1"}, 100, "post_form"),
        ({"gid": ""}, 100, "gid"),
        ({"gid": READ_ONLY}, 10, "denied"),
        ({"gid": "1"}, 300, "not found"),
    ],
)
def test_refusals_of_an_upload(call, params, code, says):
    refused = call("video.getUploadUrl", **{"gid": GROUP, "file_name": "a.mp4", "file_size": 16384, **params})
    assert (refused["error_code"], says in refused["error_msg"]) == (code, True)


def test_what_is_uploaded_is_measured(call, sandbox):
    """Whatever was announced."""
    made = call("video.getUploadUrl", gid=GROUP, file_name="a.mp4", file_size=0)
    assert "FileToSmall" in send(made["upload_url"], BYTES[1:]).json()["error_msg"]
    assert call("video.update", vid=made["video_id"], title="Закат")["error_code"] == 300
    assert send(made["upload_url"], BYTES).text == "<retval>1</retval>"
    other = call("video.getUploadUrl", gid=GROUP, file_name="a.mp4", file_size=20000)
    assert "announced" in send(other["upload_url"], BYTES).json()["error_msg"]
    assert send(f"{other['upload_url']}0", BYTES).json()["error_code"] == 300
    two = [("a", ("a.mp4", BYTES)), ("b", ("b.mp4", BYTES))]
    assert requests.post(made["upload_url"], files=two, timeout=10).json()["error_code"] == 100
    assert sandbox.posts == []


@pytest.mark.parametrize("field", ["data", "file"])
def test_the_field_of_the_file_has_any_name(uploaded, sandbox, field):
    number = uploaded(field=field)
    assert [draft["id"] for draft in sandbox.drafts] == [number]


def test_refusals_of_an_update(call, uploaded, sandbox):
    number = uploaded()
    for params, code in (
        ({"vid": "7"}, 300),
        ({"vid": ""}, 100),
        ({"title": "x" * 1001}, 100),
        ({"description": "x" * 4001}, 100),
        ({"privacy": "ALL"}, 100),
    ):
        assert call("video.update", **{"vid": number, **params})["error_code"] == code
    assert call("video.update", vid=number, privacy="FRIENDS") is None
    assert sandbox.posts == []
    assert call("video.update", vid=number, title="x" * 1000, description="y" * 4000, privacy="PUBLIC") is None
    assert call("video.update", vid=number, title="Закат", privacy="PUBLIC") is None
    [post] = sandbox.posts
    assert post["title"] == "Закат", "a repeated update makes no other video"


@pytest.mark.parametrize("answer", ["null", '""', "{}"])
def test_an_update_answers_nothing(call, uploaded, sandbox, answer):
    sandbox.control("options", ok_empty_answer=answer)
    assert call("video.update", vid=uploaded(), title="Закат") == json.loads(answer)


def test_a_draft_is_seen_by_those_who_may_post_alone(call, uploaded, sandbox):
    number = uploaded()
    sandbox.control("tokens", platform="ok", token="-n-viewer", account="3", scopes=list(SCOPES))
    assert call("video.get", vids=number, fields="video.title")["videos"] == [{"id": number, "title": "clip.mp4"}]
    assert call("video.get", token="-n-viewer", vids=number, fields="video.title") == {}
    call("video.update", vid=number, title="Закат")
    assert call("video.get", token="-n-viewer", vids=number, fields="video.title")["videos"][0]["title"] == "Закат"


# Topics


def test_a_topic_with_a_video_that_was_not_updated_is_accepted_and_seen_by_nobody(call, uploaded, sandbox):
    number = uploaded()
    topic = call("mediatopic.post", gid=GROUP, type="GROUP_THEME", attachment=attachment(number))
    assert topic.isdigit()
    assert sandbox.posts == []
    assert requests.get(f"{sandbox.url}/ok-web/group/{GROUP}/topic/{topic}", timeout=10).status_code == 404


def test_two_topics_with_one_video_are_two_posts(call, uploaded, sandbox):
    number = uploaded()
    call("video.update", vid=number, title="Закат")
    for _ in range(2):
        call("mediatopic.post", gid=GROUP, type="GROUP_THEME", attachment=attachment(number))
    assert len(sandbox.posts) == 2


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"type": "USER"}, 100),
        ({"gid": READ_ONLY}, 10),
        ({"attachment": "{"}, 100),
        ({"attachment": "[]"}, 100),
        ({"attachment": '{"media": []}'}, 100),
        ({"attachment": '{"media": [{"type": "text", "text": ""}]}'}, 100),
        ({"attachment": '{"media": [{"type": "movie", "list": []}]}'}, 100),
        ({"attachment": '{"media": [{"type": "movie", "list": [{"id": "5"}]}]}'}, 100),
        ({"attachment": '{"media": [{"type": "movie", "list": [{"id": 5}]}]}'}, 100),
    ],
)
def test_refusals_of_a_topic(call, params, code):
    asked = {"gid": GROUP, "type": "GROUP_THEME", "attachment": '{"media": [{"type": "text", "text": "x"}]}'}
    assert call("mediatopic.post", **asked).isdigit()
    assert call("mediatopic.post", **{**asked, **params})["error_code"] == code


def test_topics_come_by_pages_the_newest_first(call, sandbox):
    assert call("mediatopic.getTopics", gid=GROUP) == {"has_more": False}
    sandbox.control("topics", group=GROUP, count=3, age=100)
    sandbox.control("topics", group=GROUP, sticky=True, age=10**6)
    first = call("mediatopic.getTopics", gid=GROUP, count=2, fields="media_topic.*")
    assert [topic["is_sticky"] for topic in first["media_topics"]] == [True, False] and first["has_more"]
    rest = call("mediatopic.getTopics", gid=GROUP, count=5, anchor=first["anchor"], fields="media_topic.*")
    assert len(rest["media_topics"]) == 2 and not rest["has_more"]
    number = rest["media_topics"][0]["id"]
    assert call("mediatopic.getByIds", topic_ids=number)["media_topics"] == [{"id": number}]


def test_groups_come_by_pages_and_an_empty_one_has_none(call):
    ids, anchor = [], ""
    while groups := (page := call("group.getUserGroupsV2", count=2, anchor=anchor)).get("groups"):
        ids += [group["groupId"] for group in groups]
        anchor = page["anchor"]
    assert len(ids) == 3 and "groups" not in page


def test_an_unknown_method(call):
    assert call("video.destroy")["error_code"] == 3


def test_a_limit(call, sandbox):
    sandbox.control("options", rate_limits=True)
    assert {call("users.getCurrentUser").get("error_code") for _ in range(12)} == {None, 11}


# Consent


def token_of(sandbox, **form) -> requests.Response:
    client = {"client_id": CLIENT, "client_secret": SECRET, "grant_type": "authorization_code"}
    sent = {**client, "redirect_uri": BACK, "code_verifier": VERIFIER, **form}
    return requests.post(f"{sandbox.url}/ok-api/oauth/token.do", sent, timeout=10)


@pytest.fixture
def code(sandbox, consent):
    def ask(scopes: str = ";".join(SCOPES)) -> str:
        asked = {"client_id": CLIENT, "response_type": "code", "redirect_uri": BACK, "state": "s", "scope": scopes}
        proof = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        back = consent(f"{sandbox.url}/ok-auth/oauth/authorize?{urlencode({**asked, **proof})}")
        assert back.params["state"] == "s"
        return back.params["code"]

    return ask


def test_consent_gives_a_long_token_and_a_refresh(sandbox, code, call):
    first = token_of(sandbox, code=code()).json()
    assert first["expires_in"] == str(30 * 24 * 3600), "a string"
    assert call("users.getCurrentUser", token=first["access_token"])["name"] == "Вера Демидова"
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    for _ in range(2):
        again = token_of(sandbox, **refresh).json()
        assert again["access_token"] != first["access_token"] and "refresh_token" not in again
    sandbox.control("options", ok_rotates_refresh=True)
    assert token_of(sandbox, **refresh).json()["refresh_token"] != first["refresh_token"]


def test_without_the_right_the_token_is_short(sandbox, code):
    assert token_of(sandbox, code=code("VALUABLE_ACCESS;GROUP_CONTENT")).json()["expires_in"] == "1800"


def test_scopes_are_separated_by_semicolons(sandbox):
    asked = {"client_id": CLIENT, "response_type": "code", "redirect_uri": BACK, "state": "s"}
    proof = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    for separator in (" ", ","):
        page = f"{sandbox.url}/ok-auth/oauth/authorize"
        query = {**asked, **proof, "scope": separator.join(SCOPES)}
        assert requests.get(page, query, timeout=10).status_code == 400


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"code": "unknown"}, "invalid_grant"),
        ({"code": "x", "client_secret": "wrong"}, "invalid_client"),
        ({"code": "x", "client_id": "wrong"}, "invalid_client"),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "invalid_request"),
    ],
)
def test_refusals_of_a_token(sandbox, form, error):
    assert token_of(sandbox, **form).json()["error"] == error


def test_a_code_is_good_once(sandbox, code):
    given = code()
    assert token_of(sandbox, code=given).ok
    assert token_of(sandbox, code=given).json()["error"] == "invalid_grant"


def test_faults_are_aimed_at_a_method(call, sandbox):
    sandbox.trouble({"match": r"fb\.do\?method=users\.getCurrentUser$", "do": "error:11"})
    assert call("users.getCurrentUser")["error_code"] == 11
    assert "groups" in call("group.getUserGroupsV2")
    assert [one["path"] for one in sandbox.requests] == [
        "/ok-api/fb.do?method=users.getCurrentUser",
        "/ok-api/fb.do?method=group.getUserGroupsV2",
    ]
