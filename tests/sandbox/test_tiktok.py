"""TikTok's emulator on the wire: where it is stricter than kind."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
import requests

from tests import clips
from tests.sandbox.conftest import sha256, until

TOKEN = "act.vezde-demo"
MB = 1_000_000
BACK = "http://127.0.0.1:9/callback"
VERIFIER = "v" * 43
POST = {"title": "Закат", "privacy_level": "PUBLIC_TO_EVERYONE"}
INIT, INBOX = "post/publish/video/init", "post/publish/inbox/video/init"
CREATOR, STATUS, QUERY = "post/publish/creator_info/query", "post/publish/status/fetch", "video/query"


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    return clips.write(tmp_path_factory.mktemp("good") / "a.mp4", seconds=3, shape=(360, 640), sound=False).read_bytes()


@pytest.fixture
def call(sandbox) -> Callable[..., tuple[int, str, dict]]:
    """Returns the status, the error's code and the data of a call."""
    sandbox.control("options", processing_seconds=0)

    def make(path: str, body: dict | None = None, token: str = TOKEN, **kwargs) -> tuple[int, str, dict]:
        headers = {"Authorization": f"Bearer {token}"}
        method = "GET" if body is None else "POST"
        url = f"{sandbox.url}/tiktok/v2/{path}/"
        response = requests.request(method, url, json=body, headers=headers, timeout=10, **kwargs)
        payload = json.loads(response.text)
        assert payload["error"]["log_id"]
        return response.status_code, payload["error"]["code"], payload["data"]

    return make


@pytest.fixture
def begin(call) -> Callable[..., dict]:
    def make(size: int, path: str = INIT, chunk: int | None = None, count: int = 1, token: str = TOKEN, **post) -> dict:
        body = {"source_info": source(size, chunk or size, count)}
        if path == INIT:
            body["post_info"] = {**POST, **post}
        status, code, data = call(path, body, token)
        assert (status, code) == (200, "ok")
        return data

    return make


@pytest.fixture
def upload(begin) -> Callable[..., str]:
    """Sends a file in one chunk; returns the publish_id."""

    def make(data: bytes, path: str = INIT, **more) -> str:
        begun = begin(len(data), path, **more)
        assert put(begun, data, 0, len(data)).status_code == 201
        return begun["publish_id"]

    return make


def source(size: int, chunk: int, count: int) -> dict:
    return {"source": "FILE_UPLOAD", "video_size": size, "chunk_size": chunk, "total_chunk_count": count}


def put(begun: dict, data: bytes, first: int, total: int, **headers) -> requests.Response:
    sent = {"Content-Type": "video/mp4", "Content-Range": f"bytes {first}-{first + len(data) - 1}/{total}", **headers}
    return requests.put(begun["upload_url"], data, headers=sent, timeout=10)


# OAuth


def consent_url(sandbox, **changes: str | None) -> str:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    asked = {
        "client_key": "vezde",
        "response_type": "code",
        "scope": "user.info.basic,video.publish,video.list",
        "redirect_uri": BACK,
        "state": "s",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    query = {name: value for name, value in {**asked, **changes}.items() if value is not None}
    return f"{sandbox.url}/tiktok-auth/v2/auth/authorize/?{urlencode(query)}"


def oauth(sandbox, path: str, **form: str) -> requests.Response:
    sent = {"client_key": "vezde", "client_secret": "secret", **form}
    return requests.post(f"{sandbox.url}/tiktok/v2/oauth/{path}/", sent, timeout=10)


def first_token(sandbox, consent, **changes: str) -> requests.Response:
    back = consent(consent_url(sandbox))
    form = {"code": back.params["code"], "grant_type": "authorization_code", "redirect_uri": BACK}
    return oauth(sandbox, "token", **{**form, "code_verifier": VERIFIER, **changes})


def test_consent_and_its_tokens(sandbox, consent, call):
    back = consent(consent_url(sandbox))
    assert (back.params["state"], back.params["scopes"]) == ("s", "user.info.basic,video.publish,video.list")
    token = first_token(sandbox, consent).json()
    assert (token["open_id"], token["expires_in"], token["refresh_expires_in"]) == ("tt_volga_0001", 86400, 31536000)
    assert token["scope"] == "user.info.basic,video.publish,video.list"
    fields = {"fields": "open_id,avatar_url,display_name"}
    assert call("user/info", token=token["access_token"], params=fields)[2]["user"]["display_name"] == "Волжские закаты"
    fresh = oauth(sandbox, "token", grant_type="refresh_token", refresh_token=token["refresh_token"]).json()
    assert fresh["refresh_token"] != token["refresh_token"]
    again = oauth(sandbox, "token", grant_type="refresh_token", refresh_token=token["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    gone = oauth(sandbox, "revoke", token=fresh["access_token"])
    assert (gone.status_code, gone.text) == (200, "")
    assert call(CREATOR, {}, fresh["access_token"])[:2] == (401, "access_token_invalid")
    assert oauth(sandbox, "revoke", token=fresh["access_token"]).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_key": None, "client_id": "vezde"},
        {"scope": "user.info.basic video.publish"},
        {"scope": "user.info.all"},
        {"code_challenge": None},
        {"redirect_uri": "http://example.org/callback"},
    ],
)
def test_a_consent_that_is_asked_for_wrongly(sandbox, changes):
    assert requests.get(consent_url(sandbox, **changes), timeout=5).status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"redirect_uri": BACK + "/"}, "invalid_grant"),
        ({"client_key": "another"}, "invalid_grant"),
        ({"client_secret": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_token_that_is_asked_for_wrongly(sandbox, consent, changes, error):
    refused = first_token(sandbox, consent, **changes)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert refused.json()["log_id"]


# The creator


def test_what_the_creator_can_choose(sandbox, call):
    _, _, info = call(CREATOR, {})
    assert info["privacy_level_options"] == ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
    assert (info["creator_username"], info["max_video_post_duration_sec"], info["comment_disabled"]) == (
        *("volga", 600),
        False,
    )
    sandbox.control("options", tiktok_private=True, tiktok_comment_disabled=True, tiktok_max_seconds=60)
    _, _, info = call(CREATOR, {})
    assert info["privacy_level_options"] == ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
    assert (info["max_video_post_duration_sec"], info["comment_disabled"]) == (60, True)


def test_a_refusal_may_come_with_http_200(sandbox, call, upload, good):
    sandbox.control("options", tiktok_daily_posts=1)
    assert call(CREATOR, {})[1] == "ok"
    upload(good)
    assert call(CREATOR, {})[:2] == (200, "spam_risk_too_many_posts")
    body = {"post_info": POST, "source_info": source(9, 9, 1)}
    assert call(INIT, body)[:2] == (403, "spam_risk_too_many_posts")


@pytest.mark.parametrize(
    ("path", "limit"), [(CREATOR, 20), (STATUS, 30)], ids=["20 a minute for the creator", "30 a minute for the status"]
)
def test_limits_by_the_minute(sandbox, call, path, limit):
    sandbox.control("options", rate_limits=True)
    answers = [call(path, {}) for _ in range(limit + 1)]
    assert [one[1] == "rate_limit_exceeded" for one in answers] == [False] * limit + [True]
    assert answers[-1][0] == 429


def test_each_call_needs_its_scope(sandbox, call):
    sandbox.control("rights", platform="tiktok", token=TOKEN, scopes=["user.info.basic"])
    for path in (CREATOR, INIT, INBOX, STATUS, QUERY):
        assert call(path, {})[:2] == (401, "scope_not_authorized"), path
    assert call("user/info", params={"fields": "open_id,username"})[:2] == (401, "scope_not_authorized")
    assert call("user/info", params={"fields": "open_id,shoe_size"})[1] == "invalid_params"


# Beginning


@pytest.mark.parametrize(
    "post",
    [
        {"title": "😀" * 1101},
        {"privacy_level": None},
        {"privacy_level": "EVERYONE"},
        {"disable_comment": "false"},
        {"privacy_level": "SELF_ONLY", "brand_content_toggle": True},
        {"hashtags": []},
    ],
    ids=["2,202 units", "no privacy", "unknown privacy", "text for a toggle", "branded, only for oneself", "unknown"],
)
def test_a_post_that_is_described_wrongly(call, post):
    body = {"post_info": {**POST, **post}, "source_info": source(9, 9, 1)}
    assert call(INIT, body)[:2] == (400, "invalid_params")


def test_a_title_that_just_fits(begin):
    assert begin(9, title="😀" * 1100)["publish_id"]


def test_a_privacy_that_the_creator_has_not(call):
    body = {"post_info": {**POST, "privacy_level": "FOLLOWER_OF_CREATOR"}, "source_info": source(9, 9, 1)}
    assert call(INIT, body)[:2] == (403, "privacy_level_option_mismatch")


@pytest.mark.parametrize(
    ("size", "chunk", "count", "fits"),
    [
        (4_999_999, 4_999_999, 1, True),
        (64 * MB, 64 * MB, 1, True),
        (65 * MB, 10 * MB, 6, True),
        (100 * MB, 10 * MB, 10, True),
        (4000 * MB, 10 * MB, 400, True),
        (65 * MB, 10 * MB, 7, False),  # rounded up
        (65 * MB, 65 * MB, 1, False),  # not split
        (100 * MB, 60 * MB, 1, False),  # not split
        (20 * MB, 4 * MB, 5, False),
        (200 * MB, 65 * MB, 3, False),
        (4_999_999, 1_000_000, 4, False),
        (4001 * MB, 10 * MB, 400, False),
        (0, 0, 0, False),
    ],
)
def test_chunks(call, size, chunk, count, fits):
    answer = call(INIT, {"post_info": POST, "source_info": source(size, chunk, count)})
    assert answer[:2] == ((200, "ok") if fits else (400, "invalid_params"))


def test_a_url_of_ours_is_not_verified(call):
    body = {"post_info": POST, "source_info": {"source": "PULL_FROM_URL", "video_url": "https://example.org/a.mp4"}}
    assert call(INIT, body)[1] == "invalid_params"
    body["source_info"].pop("video_url")
    assert call(INIT, body)[:2] == (403, "url_ownership_unverified")


def test_what_an_unaudited_app_may_do(sandbox, call):
    def answer(privacy: str) -> str:
        return call(INIT, {"post_info": {**POST, "privacy_level": privacy}, "source_info": source(9, 9, 1)})[1]

    sandbox.control("options", tiktok_unaudited=True)
    refused = "unaudited_client_can_only_post_to_private_accounts"
    assert [answer(one) for one in ("PUBLIC_TO_EVERYONE", "SELF_ONLY")] == [refused] * 2
    sandbox.control("options", tiktok_private=True)
    assert [answer(one) for one in ("FOLLOWER_OF_CREATOR", "SELF_ONLY")] == [refused, "ok"]


def test_a_sixth_user_of_a_day(sandbox, call, begin):
    sandbox.control("options", tiktok_unaudited=True, tiktok_private=True)
    for number in range(5):
        sandbox.control(
            "tokens", platform="tiktok", token=f"act.{number}", account=f"tt_{number}", scopes="video.publish"
        )
        begin(9, token=f"act.{number}", privacy_level="SELF_ONLY")
    body = {"post_info": {**POST, "privacy_level": "SELF_ONLY"}, "source_info": source(9, 9, 1)}
    assert call(INIT, body)[:2] == (403, "reached_active_user_cap")
    assert call(INIT, body, "act.0")[1] == "ok"


# Sending


def test_chunks_come_one_after_the_other(sandbox, begin, call):
    data = secrets.token_bytes(12 * MB + 5)
    begun = begin(len(data), chunk=5 * MB, count=2)

    def uploaded() -> int:
        return call(STATUS, {"publish_id": begun["publish_id"]})[2]["uploaded_bytes"]

    early = put(begun, data[5 * MB :], 5 * MB, len(data))
    assert (early.status_code, early.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
    short = put(begun, data[: 4 * MB], 0, len(data))
    assert (short.status_code, uploaded()) == (416, 0)
    first = put(begun, data[: 5 * MB], 0, len(data))
    assert (first.status_code, first.headers["Content-Range"]) == (206, f"bytes 0-{5 * MB - 1}/{len(data)}")
    again = put(begun, data[: 5 * MB], 0, len(data))
    assert (again.status_code, again.headers["Content-Range"]) == (416, f"bytes 0-{5 * MB - 1}/{len(data)}")
    sandbox.trouble({"match": "PUT /tiktok-upload", "do": "cut_request:50", "nth": 1})
    with pytest.raises(requests.ConnectionError):
        put(begun, data[5 * MB :], 5 * MB, len(data))
    assert uploaded() == 5 * MB, "a chunk is taken as a whole or not at all"
    assert put(begun, data[5 * MB :], 5 * MB, len(data)).status_code == 201
    assert uploaded() == len(data)
    assert put(begun, data[5 * MB :], 5 * MB, len(data)).status_code == 416
    [draft] = sandbox.drafts
    assert draft["sha256"] == sha256(data)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/octet-stream"}, 400),
        ({"Content-Range": "bytes 0-3/8"}, 400),
        ({"Content-Range": "bytes=0-8/9"}, 400),
        ({"Content-Range": "bytes 0-8/10"}, 416),
        ({"Content-Range": "bytes 1-9/9"}, 416),
    ],
)
def test_a_chunk_that_is_sent_wrongly(begin, headers, status):
    assert put(begin(9), b"123456789", 0, 9, **headers).status_code == status


def test_a_chunk_without_a_length(begin):
    headers = {"Content-Type": "video/mp4", "Content-Range": "bytes 0-8/9"}
    response = requests.put(begin(9)["upload_url"], iter([b"123456789"]), headers=headers, timeout=10)
    assert response.status_code == 411


def test_an_address_is_good_for_an_hour_and_for_one_upload(sandbox, begin):
    begun = begin(9)
    assert put({"upload_url": begun["upload_url"] + "x"}, b"123456789", 0, 9).status_code == 404
    sandbox.control("options", tiktok_upload_seconds=0)
    assert put(begun, b"123456789", 0, 9).status_code == 403


# What becomes of it


def test_a_post_is_public_and_counted(sandbox, call, upload, good):
    publish_id = upload(good)
    status = until(lambda: call(STATUS, {"publish_id": publish_id})[2])
    [post] = sandbox.posts
    [number] = status["publicaly_available_post_id"]
    assert (status["status"], str(number)) == ("PUBLISH_COMPLETE", post["id"])
    assert number > 2**53
    assert (post["sha256"], post["title"], post["facts"]["way"]) == (sha256(good), "Закат", "direct")
    sandbox.control("stats", platform="tiktok", id=post["id"], views=7, likes=None, shares=2)
    fields = {"fields": "id,share_url,view_count,like_count,comment_count,share_count"}
    asked = {"filters": {"video_ids": [post["id"], "1"]}}
    [video] = call(QUERY, asked, params=fields)[2]["videos"]
    assert video == {"id": post["id"], "share_url": post["url"], "view_count": 7, "comment_count": 0, "share_count": 2}
    assert requests.get(post["url"], timeout=5).ok
    assert "Закат" in requests.get(f"{sandbox.url}/tiktok-web/@volga", timeout=5).text
    assert call(QUERY, {"filters": {"video_ids": ["1"] * 21}}, params=fields)[1] == "invalid_params"
    assert call(QUERY, {"filters": {"video_ids": [number]}}, params=fields)[1] == "invalid_params", "ids are texts"


def test_moderation_keeps_the_number_back(sandbox, call, upload, good):
    sandbox.control("options", tiktok_moderation_seconds=1)
    publish_id = upload(good)
    status = call(STATUS, {"publish_id": publish_id})[2]
    assert (status["status"], status["publicaly_available_post_id"]) == ("PUBLISH_COMPLETE", [])
    assert not sandbox.posts[0]["visible"]
    assert until(lambda: call(STATUS, {"publish_id": publish_id})[2]["publicaly_available_post_id"])
    assert sandbox.posts[0]["visible"]


def test_what_not_everyone_sees_has_no_number(sandbox, call, upload, good):
    publish_id = upload(good, privacy_level="SELF_ONLY")
    status = call(STATUS, {"publish_id": publish_id})[2]
    assert (status["status"], status["publicaly_available_post_id"]) == ("PUBLISH_COMPLETE", [])
    assert requests.get(sandbox.posts[0]["url"], timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"seconds": 2}, "duration_check_failed"),
        ({"seconds": 6}, "duration_check_failed"),
        ({"shape": (320, 640)}, "picture_size_check_failed"),
    ],
)
def test_a_file_that_does_not_fit_fails(sandbox, call, upload, tmp_path, how, reason):
    sandbox.control("options", tiktok_max_seconds=5)
    data = clips.write(tmp_path / "a.mp4", **{"seconds": 3, "shape": (360, 640), "sound": False, **how}).read_bytes()
    status = call(STATUS, {"publish_id": upload(data)})[2]
    assert (status["status"], status["fail_reason"], sandbox.posts) == ("FAILED", reason, [])


def test_frame_rates(sandbox, call, upload, tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "FPS", 15)
    data = clips.write(tmp_path / "a.mp4", seconds=4, shape=(360, 640), sound=False).read_bytes()
    assert call(STATUS, {"publish_id": upload(data)})[2]["fail_reason"] == "frame_rate_check_failed"
    assert call(STATUS, {"publish_id": upload(b"no film")})[2]["fail_reason"] == "file_format_check_failed"


def test_the_status_is_its_creators(sandbox, call, upload, good):
    sandbox.control("tokens", platform="tiktok", token="act.other", account="tt_other", scopes="video.publish")
    body = {"publish_id": upload(good)}
    assert call(STATUS, body, "act.other")[:2] == (401, "token_not_authorized_for_specified_publish_id")
    assert call(STATUS, {"publish_id": "v_pub_file~v2-1.1"})[:2] == (400, "invalid_publish_id")


# The inbox


def test_a_draft_waits_in_the_inbox_until_its_creator_posts_it(sandbox, call, upload, good):
    publish_id = upload(good, INBOX)
    status = call(STATUS, {"publish_id": publish_id})[2]
    assert (status["status"], sandbox.posts) == ("SEND_TO_USER_INBOX", [])
    page = f"{sandbox.url}/tiktok-web/inbox"
    assert publish_id in requests.get(page, timeout=5).text
    assert "/tiktok-web/inbox" in requests.get(sandbox.url, timeout=5).text
    form = {"publish_id": publish_id, "title": "Закат", "privacy_level": "PUBLIC_TO_EVERYONE"}
    assert requests.post(page, form, timeout=5).ok
    status = call(STATUS, {"publish_id": publish_id})[2]
    assert (status["status"], len(status["publicaly_available_post_id"])) == ("PUBLISH_COMPLETE", 1)
    assert requests.post(page, form, timeout=5).status_code == 400


def test_five_may_be_pending(sandbox, call, upload, good):
    for _ in range(5):
        upload(good, INBOX)
    assert call(INBOX, {"source_info": source(9, 9, 1)})[:2] == (403, "spam_risk_too_many_pending_share")
    assert call(INBOX, {"post_info": POST, "source_info": source(9, 9, 1)})[1] == "invalid_params"


def test_an_upload_survives_a_kill(sandbox, begin, call):
    data = secrets.token_bytes(10 * MB)
    begun = begin(len(data), chunk=5 * MB, count=2)
    put(begun, data[: 5 * MB], 0, len(data))
    sandbox.kill()
    sandbox.restart()
    assert call(STATUS, {"publish_id": begun["publish_id"]})[2]["uploaded_bytes"] == 5 * MB
    assert put(begun, data[5 * MB :], 5 * MB, len(data)).status_code == 201
