"""HTTP requests to VK's methods and upload servers: the clips route, every error, every option."""

import re
from typing import Any

import pytest
import requests

from sandbox.testing import Sandbox
from tests.sandbox.conftest import sha256, until

TOKEN = "vk1.a.vezde-demo"
COMMUNITY = "vk1.a.community"


class Wire:
    def __init__(self, sandbox: Sandbox) -> None:
        self._url = f"{sandbox.url}/vk-api/method"

    def raw(self, method: str, token: str = TOKEN, **params: Any) -> dict[str, Any]:
        fields = {"access_token": token, "v": "5.199"} | params
        response = requests.post(f"{self._url}/{method}", fields, timeout=10)
        assert response.status_code == 200
        return response.json()

    def __call__(self, method: str, **params: Any) -> Any:
        body = self.raw(method, **params)
        assert "response" in body, body
        return body["response"]

    def refused(self, method: str, **params: Any) -> int:
        body = self.raw(method, **params)
        assert "error" in body, body
        return body["error"]["error_code"]

    def clip(self, data: bytes, text: str = "Закат\nНад Волгой", **params: Any) -> dict[str, Any]:
        """Creates and uploads a clip; returns both responses in one."""
        created = self("shortVideo.create", file_size=len(data), description=text, wallpost=0, **params)
        return created | upload(created["upload_url"], "file", data)

    def publish(self, clip: dict[str, Any], **params: Any) -> dict[str, Any]:
        return self(
            "shortVideo.publish", **ids(clip), **{"license_agree": 1, "publish_date": 0, "wallpost": 1} | params
        )


@pytest.fixture
def vk(sandbox) -> Wire:
    sandbox.control("options", processing_seconds=0)
    return Wire(sandbox)


def ids(video: dict[str, Any]) -> dict[str, int]:
    return {"owner_id": video["owner_id"], "video_id": video["video_id"]}


def upload(url: str, field: str, data: bytes) -> dict[str, Any]:
    response = requests.post(url, files={field: ("clip.mp4", data, "video/mp4")}, timeout=20)
    assert response.status_code == 200
    return response.json()


def named(video: dict[str, Any]) -> str:
    return f"{video['owner_id']}_{video['video_id']}"


# The clips route


def test_a_clip_is_published(vk, sandbox, clip):
    created = vk.clip(clip)
    assert (created["owner_id"], created["size"]) == (1, len(clip))
    [draft] = sandbox.drafts
    assert (draft["id"], draft["offset"], draft["sha256"]) == (str(created["video_id"]), len(clip), sha256(clip))
    assert vk("shortVideo.encodeProgress", **ids(created), hash=created["video_hash"]) == {
        "percents": 100,
        "is_ready": True,
    }
    assert sandbox.posts == []

    assert vk("shortVideo.edit", **ids(created), description="Рассвет", privacy_view="all") == 1
    body = vk.publish(created)["video"]
    url = f"{sandbox.url}/vk/clip{named(created)}"
    assert body == {"id": created["video_id"], "owner_id": 1, "title": "Рассвет", "direct_url": url}
    assert [(post["sha256"], post["title"], post["url"]) for post in sandbox.posts] == [(sha256(clip), "Рассвет", url)]
    assert sandbox.drafts == []
    [item] = vk("video.get", videos=named(created))["items"]
    assert (item["type"], item["player"], "processing" in item) == ("short_video", url, False)
    [post] = vk("wall.get", owner_id=1)["items"]
    assert (post["text"], post["attachments"][0]["video"]["id"]) == ("Рассвет", created["video_id"])


def test_a_clip_can_be_published_without_a_wall_post(vk, sandbox, clip):
    created = vk.clip(clip)
    vk.publish(created, wallpost=0)
    assert vk("wall.get", owner_id=1)["count"] == 0
    vk("wall.post", attachments=f"video{named(created)}")
    assert len(sandbox.posts) == 1


def test_a_clip_goes_to_a_community(vk, sandbox, clip):
    created = vk.clip(clip, group_id=101)
    assert created["owner_id"] == -101
    vk.publish(created)
    assert [post["account"] for post in sandbox.posts] == ["-101"]
    page = requests.get(f"{sandbox.url}/vk/club101", timeout=10).text
    assert "Везде — демо" in page
    assert "Закат" in page
    assert vk.refused("shortVideo.create", file_size=5, group_id=102) == 204
    assert vk.refused("shortVideo.create", file_size=5, group_id=-101) == 100
    assert vk.refused("shortVideo.create", file_size=5, group_id=999) == 100


def test_a_clip_must_be_encoded_first(vk, sandbox, clip):
    sandbox.control("options", processing_seconds=1.5)
    created = vk("shortVideo.create", file_size=len(clip))
    assert vk.refused("shortVideo.publish", **ids(created), license_agree=1) == 3001
    created |= upload(created["upload_url"], "file", clip)
    assert vk.refused("shortVideo.publish", **ids(created), license_agree=1) == 3001
    progress = vk("shortVideo.encodeProgress", **ids(created), hash=created["video_hash"])
    assert (progress["percents"] < 100, progress["is_ready"]) == (True, False)
    until(lambda: vk("shortVideo.encodeProgress", **ids(created), hash=created["video_hash"])["is_ready"])
    vk.publish(created)


def test_the_clips_route_can_be_unknown(vk, sandbox):
    sandbox.control("options", vk_clips_route=False)
    for method in ("create", "encodeProgress", "edit", "publish"):
        assert vk.refused(f"shortVideo.{method}", file_size=5) == 3
    assert vk("video.save", name="Закат")["upload_url"]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("create", {}),
        ("create", {"file_size": 0}),
        ("create", {"file_size": 2_000_000_001}),
        ("create", {"file_size": 5, "description": "x" * 5001}),
        ("encodeProgress", {"hash": "wrong"}),
        ("encodeProgress", {}),
        ("edit", {"privacy_view": "only_me"}),
        ("publish", {}),
        ("publish", {"license_agree": 1, "publish_date": 1999999999}),
        ("publish", {"license_agree": "yes"}),
    ],
)
def test_wrong_parameters_of_clips_are_refused(vk, method, params):
    created = {} if method == "create" else ids(vk.clip(b"clip"))
    assert vk.refused(f"shortVideo.{method}", **created, **params) == 100


def test_a_clip_is_published_once(vk, sandbox):
    created = vk.clip(b"clip")
    vk.publish(created)
    assert vk.refused("shortVideo.publish", **ids(created), license_agree=1, wallpost=1) == 100
    assert len(sandbox.posts) == 1


def test_clips_of_others_are_not_accessible(vk, sandbox):
    sandbox.control("tokens", platform="vk", token="vk1.a.other", account=2, scopes="video wall")
    created = vk.clip(b"clip")
    for method in ("shortVideo.publish", "shortVideo.edit", "video.delete"):
        assert vk.refused(method, **ids(created), token="vk1.a.other", license_agree=1) == 204


# Uploads


@pytest.mark.parametrize(("route", "field"), [("clip", "video_file"), ("video", "file")])
def test_the_field_name_depends_on_the_route(vk, sandbox, route, field):
    created = vk("shortVideo.create", file_size=4) if route == "clip" else vk("video.save", name="x")
    body = upload(created["upload_url"], field, b"clip")
    assert set(body) == {"error", "error_code", "error_descr"}
    assert sandbox.posts == []
    right = {"clip": "file", "video": "video_file"}[route]
    assert upload(created["upload_url"], right, b"clip")["size"] == 4


def test_an_upload_needs_its_url_and_its_bytes(vk, sandbox):
    created = vk("shortVideo.create", file_size=4)
    url = created["upload_url"]
    for wrong in (url[:-1], url.partition("?")[0], re.sub(r"\d+\?", "1?", url), url.replace("/clip/", "/video/")):
        assert upload(wrong, "file", b"clip")["error_code"] == 22
    assert upload(url, "file", b"")["error_code"] == 22
    assert upload(url, "file", b"too long")["error_code"] == 22
    response = requests.post(url, b"clip", headers={"Content-Type": "video/mp4"}, timeout=10)
    assert response.json()["error_code"] == 22
    assert upload(url, "file", b"clip")["size"] == 4
    assert upload(url, "file", b"clip")["error_code"] == 22
    assert requests.get(url, timeout=10).json()["error_code"] == 22


def test_an_upload_that_was_cut_is_a_draft_and_can_be_repeated(vk, sandbox):
    data = bytes(range(256)) * 4000
    created = vk("shortVideo.create", file_size=len(data), description="Закат")
    sandbox.trouble({"match": "POST /vk-api/upload/clip/", "do": "cut_request:50", "times": 1})
    with pytest.raises(requests.ConnectionError):
        upload(created["upload_url"], "file", data)
    [draft] = sandbox.drafts
    assert draft["offset"] == pytest.approx(len(data) / 2, abs=2000)
    assert draft["sha256"] == sha256(data[: draft["offset"]])
    assert vk.refused("shortVideo.publish", **ids(created), license_agree=1) == 3001
    upload(created["upload_url"], "file", data)
    vk.publish(created)
    assert sandbox.posts[0]["sha256"] == sha256(data)


def test_a_size_limit_can_be_set(vk, sandbox):
    sandbox.control("options", vk_max_mb=0.1)
    assert vk.refused("shortVideo.create", file_size=100_001) == 100
    created = vk("video.save", name="x")
    assert upload(created["upload_url"], "video_file", bytes(100_001))["error"] == "ERR_UPLOAD_TOO_LARGE"
    assert upload(created["upload_url"], "video_file", bytes(100_000))["size"] == 100_000


def test_a_video_is_published_although_the_response_is_lost(vk, sandbox):
    created = vk("video.save", name="Закат")
    assert sandbox.posts == []
    sandbox.trouble({"match": "/vk-api/upload/", "do": "lose_answer"})
    with pytest.raises(requests.ConnectionError):
        upload(created["upload_url"], "video_file", b"clip")
    assert len(sandbox.posts) == 1


def test_a_draft_is_visible_only_to_its_owner(vk, sandbox):
    """Before and after its upload: no field of the item shows that it is a draft."""
    sandbox.control("tokens", platform="vk", token="vk1.a.other", account=2, scopes="video wall")
    empty, ready = vk("video.save", name="Закат"), vk.clip(b"clip", group_id=101)
    for draft, body in ((empty, {"processing": 1, "duration": 0}), (ready, {"duration": 1})):
        [item] = vk("video.get", videos=named(draft))["items"]
        assert item == item | body
        assert [one["id"] for one in vk("video.get", owner_id=draft["owner_id"])["items"]] == [draft["video_id"]]
    assert vk("video.get", token="vk1.a.other", videos=named(empty))["count"] == 0
    assert vk("video.get", token="vk1.a.other", videos=named(ready))["count"] == 1, "an editor of the community"
    [before] = vk("video.get", videos=named(ready))["items"]
    vk.publish(ready)
    assert vk("video.get", videos=named(ready))["items"] == [before]
    assert sandbox.control("drafts")["drafts"][0]["id"] == str(empty["video_id"])


# Videos and walls


def test_a_video_is_published_as_soon_as_it_is_uploaded(vk, sandbox, clip):
    sandbox.control("options", processing_seconds=1.5)
    created = vk("video.save", name="Закат", description="Над Волгой", wallpost=0)
    assert set(created) == {"access_key", "owner_id", "video_id", "upload_url", "title", "description"}
    body = upload(created["upload_url"], "video_file", clip)
    assert set(body) == {"video_hash", "size", "direct_link", "owner_id", "video_id"}
    assert [post["url"] for post in sandbox.posts] == [body["direct_link"]]
    page = requests.get(body["direct_link"], timeout=10).text
    source = re.search(r'<video[^>]* src="([^"]+)"', page)[1]
    part = requests.get(sandbox.url + source, headers={"Range": "bytes=10-19"}, timeout=10)
    assert (part.status_code, part.content) == (206, clip[10:20])
    assert requests.get(sandbox.url + source, timeout=10).content == clip
    assert vk("video.get", videos=f"{named(created)}_{created['access_key']}")["items"][0]["converting"] == 1
    until(lambda: "converting" not in vk("video.get", videos=named(created))["items"][0])


def test_videos_are_numbered_for_each_owner(vk, sandbox):
    first, second = vk("video.save", name="1"), vk("video.save", name="2")
    vk("video.delete", **ids(second))
    third, of_community = vk("video.save", name="3"), vk("video.save", name="1", group_id=101)
    numbers = [video["video_id"] for video in (first, second, third, of_community)]
    assert numbers == [456239017, 456239018, 456239019, 456239017]
    assert len(sandbox.drafts) == 3


def test_video_get_shows_counts_of_many(vk, sandbox):
    clips = [vk.clip(b"clip", text=f"{number}") for number in range(3)]
    for one in clips:
        vk.publish(one, wallpost=0)
    number = clips[0]["video_id"]
    sandbox.control("stats", platform="vk", id=number, views=1200, likes=30, shares=4)
    shown = vk("video.get", videos=",".join(["5_5", *map(named, clips)]))
    assert shown["count"] == 3
    item = shown["items"][0]
    assert (item["views"], item["likes"]["count"], item["reposts"]["count"], item["comments"]) == (1200, 30, 4, 0)
    listed = vk("video.get", owner_id=1, count=2)
    assert [item["id"] for item in listed["items"]] == [number + 2, number + 1]
    assert vk.refused("video.get", videos="clip1_1") == 100
    assert vk.refused("video.get", count=201) == 100


def test_video_get_can_omit_counts(vk, sandbox):
    created = vk.clip(b"clip")
    vk.publish(created)
    sandbox.control("stats", platform="vk", id=created["video_id"], views=7, likes=None, shares=None)
    [item] = vk("video.get", videos=named(created))["items"]
    assert item["views"] == 7
    assert "likes" not in item and "reposts" not in item


def test_a_deleted_video_is_gone(vk, sandbox):
    created = vk.clip(b"clip")
    vk.publish(created)
    vk("wall.post", message="Ещё раз", attachments=f"video{named(created)}")
    assert len(sandbox.posts) == 2
    assert vk("video.delete", **ids(created)) == 1
    assert sandbox.posts == sandbox.drafts == []
    assert vk("video.get", videos=named(created))["count"] == 0
    assert [post["attachments"] for post in vk("wall.get")["items"]] == [[], []]
    assert vk.refused("video.delete", **ids(created)) == 204


def test_a_second_post_on_a_wall_is_a_second_post(vk, sandbox, clip):
    created = vk.clip(clip)
    vk.publish(created)
    vk("wall.post", message="Ещё раз", attachments=f"video{named(created)}", guid="a")
    vk("wall.post", message="Ещё раз", attachments=f"video{named(created)}", guid="a")
    first, second = sandbox.posts
    assert (first["sha256"], second["sha256"]) == (sha256(clip), sha256(clip))
    assert (second["id"], second["title"]) == ("wall1_2", "Ещё раз")
    for place in ("wall1_1", "wall1_2", f"clip{named(created)}"):
        assert "<video" in requests.get(f"{sandbox.url}/vk/{place}", timeout=10).text
    assert requests.get(f"{sandbox.url}/vk/wall1_3", timeout=10).status_code == 404
    assert requests.get(f"{sandbox.url}/vk/anything", timeout=10).status_code == 404


def test_a_draft_has_no_page(vk, sandbox):
    created = vk.clip(b"clip")
    assert requests.get(f"{sandbox.url}/vk/clip{named(created)}", timeout=10).status_code == 404
    assert vk.refused("wall.post", attachments=f"video{named(created)}") == 100


def test_a_wall_is_read_page_by_page_and_the_pinned_post_comes_first(vk, sandbox):
    sandbox.control("wall", owner=1, pinned=True, age=100)
    sandbox.control("wall", owner=1, count=3, age=7)
    assert vk("wall.post", message="Новая") == {"post_id": 5}
    posts = vk("wall.get", count=2)["items"] + vk("wall.get", count=100, offset=2)["items"]
    assert [post["id"] for post in posts] == [1, 5, 4, 3, 2]
    assert [post.get("is_pinned") for post in posts] == [1, None, None, None, None]
    assert posts[1]["date"] - posts[2]["date"] == pytest.approx(7, abs=1)
    with pytest.raises(ValueError, match='"error"'):
        sandbox.control("wall", owner="durov")


def test_a_guid_can_be_ignored(vk, sandbox):
    sandbox.control("options", vk_guid=False)
    assert [vk("wall.post", message="x", guid="a")["post_id"] for _ in range(2)] == [1, 2]


def test_a_clip_can_be_published_without_a_post_or_attached_as_a_clip(vk, sandbox):
    sandbox.control("options", vk_clip_posts=False, vk_clip_attachments=True)
    created = vk.clip(b"clip")
    vk.publish(created)
    assert vk("wall.get")["count"] == 0
    vk("wall.post", attachments=f"video{named(created)}")
    [attached] = vk("wall.get")["items"][0]["attachments"]
    assert (attached["type"], attached["clip"]["id"]) == ("clip", created["video_id"])


def test_walls_are_posted_to(vk, sandbox):
    assert vk("wall.post", message="Привет") == {"post_id": 1}
    assert vk("wall.post", owner_id=-101, from_group=1, message="Привет", guid="x") == {"post_id": 1}
    assert vk("wall.post", owner_id=-101, from_group=1, message="Привет", guid="x") == {"post_id": 1}
    assert [post["from_id"] for post in vk("wall.get", owner_id=-101)["items"]] == [-101]
    assert sandbox.posts == []
    assert vk.refused("wall.post", attachments="photo1_1") == 100
    assert vk.refused("wall.post", message="x", publish_date=1999999999) == 100
    assert vk.refused("wall.post", owner_id=2, message="x") == 214
    assert vk.refused("wall.get", count=101) == 100


# Tokens and scopes


def test_a_user_is_shown(vk, sandbox):
    [user] = vk("users.get", fields="photo_100,sex")
    assert (user["id"], user["first_name"], user["last_name"]) == (1, "Вера", "Демидова")
    assert requests.get(user["photo_100"], timeout=10).ok
    assert [user["id"] for user in vk("users.get", user_ids="2,404")] == [2]


def test_communities_are_listed(vk, sandbox):
    shown = vk("groups.get", filter="editor", extended=1, fields="photo_100")
    assert [(one["id"], one["name"], one["is_admin"]) for one in shown["items"]] == [(101, "Везде — демо", 1)]
    assert requests.get(shown["items"][0]["photo_100"], timeout=10).ok
    assert vk("groups.get") == {"count": 2, "items": [101, 102]}
    assert vk.refused("groups.get", filter="owner") == 100
    assert vk.refused("groups.get", user_id=2) == 7
    sandbox.control("rights", platform="vk", account=1, community=101, role="member")
    assert vk("groups.get", filter="editor")["count"] == 0
    assert vk.refused("video.save", group_id=101) == 204


@pytest.mark.parametrize(
    ("scopes", "method", "code"),
    [
        ("wall groups", "video.save", 15),
        ("wall groups", "video.get", 15),
        ("wall groups", "shortVideo.create", 15),
        ("video groups", "wall.post", 15),
        ("video wall", "groups.get", 7),
    ],
)
def test_each_right_is_needed(vk, sandbox, scopes, method, code):
    sandbox.control("rights", platform="vk", token=TOKEN, scopes=scopes)
    assert vk.refused(method, message="x", file_size=5) == code


def test_publishing_can_be_forbidden_to_a_token_type(vk, sandbox):
    sandbox.control("options", vk_may_publish=False)
    for method in ("video.save", "shortVideo.create", "shortVideo.publish", "wall.post"):
        assert vk.refused(method, message="x", file_size=5) == 1051
    assert vk("users.get")


def test_a_community_token_has_fewer_methods(vk, sandbox):
    sandbox.control("tokens", platform="vk", token=COMMUNITY, account=-101, scopes="wall,video")
    assert vk("users.get", token=COMMUNITY) == []
    assert vk.refused("video.save", token=COMMUNITY, name="x") == 27
    assert vk.refused("groups.get", token=COMMUNITY) == 27
    assert vk("wall.post", token=COMMUNITY, message="x") == {"post_id": 1}


def test_three_requests_a_second_for_a_user_and_twenty_for_a_community(vk, sandbox):
    sandbox.control("options", rate_limits=True)
    sandbox.control("tokens", platform="vk", token=COMMUNITY, account=-101, scopes="wall")
    for token, most in [(TOKEN, 3), (COMMUNITY, 20)]:
        body = [vk.raw("users.get", token=token) for _ in range(most + 1)]
        assert ["response" in one for one in body] == [True] * most + [False]
        assert body[-1]["error"]["error_code"] == 6
    sandbox.control("options", vk_rate_limits=False)
    assert vk("users.get")


def test_errors_repeat_the_request_without_its_token(vk, sandbox):
    body = vk.raw("video.delete", owner_id=1)
    assert body == {
        "error": {
            "error_code": 100,
            "error_msg": "One of the parameters specified was missing or invalid: video_id is undefined",
            "request_params": [
                {"key": "oauth", "value": "1"},
                {"key": "method", "value": "video.delete"},
                {"key": "v", "value": "5.199"},
                {"key": "owner_id", "value": "1"},
            ],
        }
    }


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"v": ""}, 8, "v (version) is required"),
        ({"access_token": ""}, 5, "no access_token passed"),
        ({"access_token": "vk1.a.wrong"}, 5, "invalid access_token"),
    ],
)
def test_a_call_needs_a_version_and_a_token(vk, params, code, words):
    error = vk.raw("users.get", **params)["error"]
    assert error["error_code"] == code
    assert words in error["error_msg"]


def test_expired_and_revoked_tokens_are_refused(vk, sandbox):
    sandbox.control("tokens", platform="vk", token="vk2.a.short", account=9, scopes="video", expires_in=1)
    assert vk("users.get", token="vk2.a.short")[0]["first_name"] == "Пользователь"
    error = until(lambda: vk.raw("users.get", token="vk2.a.short").get("error"))
    assert "expired" in error["error_msg"]
    sandbox.control("revoke", platform="vk", account=1)
    assert vk.refused("users.get") == 5


def test_parameters_are_accepted_in_the_query(sandbox):
    url = f"{sandbox.url}/vk-api/method/users.get?v=5.199&access_token={TOKEN}"
    assert requests.get(url, timeout=10).json()["response"][0]["id"] == 1
    bearer = requests.get(url.partition("&")[0], headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert bearer.json()["response"][0]["id"] == 1


# Faults


@pytest.mark.parametrize(
    ("do", "status", "code"), [("status:500", 500, 10), ("status:429", 429, 6), ("error:9", 200, 9)]
)
def test_faults_have_vks_format(vk, sandbox, do, status, code):
    sandbox.trouble({"match": "users.get", "do": do, "retry_after": 3})
    response = requests.post(f"{sandbox.url}/vk-api/method/users.get", timeout=10)
    assert (response.status_code, response.json()["error"]["error_code"]) == (status, code)
    assert response.headers["Retry-After"] == "3"


def test_faults_at_the_upload_server_have_its_format(vk, sandbox):
    created = vk("shortVideo.create", file_size=4)
    sandbox.trouble({"match": "/vk-api/upload/", "do": "error:22", "times": 1})
    assert upload(created["upload_url"], "file", b"clip") == {
        "error": "22",
        "error_code": 22,
        "error_descr": "Upload error",
    }
    sandbox.trouble({"match": "/vk-api/upload/", "do": "status:503", "times": 1})
    response = requests.post(created["upload_url"], files={"file": b"clip"}, timeout=10)
    assert (response.status_code, set(response.json())) == (503, {"error", "error_code", "error_descr"})


def test_no_secret_is_logged(vk, sandbox):
    vk.clip(b"clip")
    paths = [one["path"] for one in sandbox.requests]
    assert paths == ["/vk-api/method/shortVideo.create", "/vk-api/upload/clip/1_456239017"]


@pytest.mark.parametrize(
    ("what", "command"),
    [
        ("tokens", {"token": "x", "account": "durov"}),
        ("rights", {"account": 1, "community": 999, "role": "member"}),
        ("rights", {"account": 1, "community": 101, "role": "king"}),
        ("rights", {"account": 1}),
        ("expire", {"account": 404}),
    ],
)
def test_invalid_commands_return_the_reason(sandbox, what, command):
    with pytest.raises(ValueError, match='"error"'):
        sandbox.control(what, platform="vk", **command)


def test_the_state_survives_a_kill(vk, session_sandbox):
    created = vk.clip(b"clip")
    vk.publish(created)
    vk("video.save", name="Черновик")
    posts, drafts = session_sandbox.posts, session_sandbox.drafts
    session_sandbox.kill()
    session_sandbox.restart()
    assert (session_sandbox.posts, session_sandbox.drafts) == (posts, drafts)
    assert vk("video.get", videos=named(created))["count"] == 1
    assert vk("wall.get")["items"][0]["attachments"]
    assert vk("video.save", name="Ещё")["video_id"] == created["video_id"] + 2


def test_communities_by_their_names(vk, sandbox):
    """Who manages it is told to a token with the right `groups` only."""
    sandbox.control("tokens", platform="vk", token="vk1.a.no-groups", account="1", scopes="video,wall")
    sandbox.control("tokens", platform="vk", token=COMMUNITY, account="-101", scopes="wall")
    fields = "photo_100,can_post,can_upload_video"
    full = vk("groups.getById", group_ids="vezde_demo,102,404", fields=fields)["groups"]
    assert [one["id"] for one in full] == [101, 102, 404]
    assert [one.get("admin_level") for one in full] == [2, None, None]
    assert [one.get("deactivated") for one in full] == [None, None, "deleted"]
    [shown] = vk("groups.getById", token="vk1.a.no-groups", group_id=101, fields=fields)["groups"]
    assert "is_admin" not in shown and (shown["can_post"], shown["can_upload_video"]) == (1, 1)
    assert vk.refused("groups.getById", group_ids="nobody_has_it") == 100
    assert vk.refused("groups.getById") == 100
    [own] = vk("groups.getById", token=COMMUNITY)["groups"]
    assert own["id"] == 101


def test_comments(vk, sandbox, clip):
    made = vk.clip(clip)
    assert vk.refused("shortVideo.edit", privacy_comment="strangers", **ids(made)) == 100
    vk("shortVideo.edit", privacy_comment="nobody", **ids(made))
    vk.publish(made)
    name = f"{made['owner_id']}_{made['video_id']}"
    assert vk("video.get", videos=name)["items"][0]["can_comment"] == 0
    [post] = vk("wall.get", owner_id=1)["items"]
    assert post["comments"]["can_post"] == 1, "those of the post are its own"
    assert vk("wall.closeComments", owner_id=1, post_id=post["id"]) == 1
    assert vk("wall.get", owner_id=1)["items"][0]["comments"]["can_post"] == 0
    assert vk.refused("wall.closeComments", owner_id=1, post_id=99) == 100
    assert "комментарии отключены" in requests.get(f"{sandbox.url}/vk/clip{name}", timeout=10).text
    for owner, given, taken in ((1, "no_comments", True), (-101, "no_comments", False), (1, "privacy_comment", False)):
        where = {"group_id": -owner} if owner < 0 else {}
        saved = vk("video.save", name="Закат", **{given: 1 if given == "no_comments" else "nobody"}, **where)
        item = vk("video.get", videos=f"{saved['owner_id']}_{saved['video_id']}")["items"][0]
        assert item["can_comment"] == int(taken), (owner, given)
