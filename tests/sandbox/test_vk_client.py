"""The emulated API, with the unmodified vk_api: only the host of its requests differs."""

import io
from urllib.parse import urlsplit

import pytest
import requests
import vk_api
from requests.adapters import HTTPAdapter

from tests.sandbox.conftest import sha256

TOKEN = "vk1.a.vezde-demo"


class ToSandbox(HTTPAdapter):
    """Redirects requests for VK's hosts to the sandbox."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request, **kwargs):
        request.url = f"{self._url}/vk-api{urlsplit(request.url).path}"
        return super().send(request, **kwargs)


@pytest.fixture
def vk(sandbox):
    def connect(token: str = TOKEN) -> vk_api.VkApi:
        session = vk_api.VkApi(token=token, api_version="5.199")
        session.http.mount("https://api.vk.", ToSandbox(sandbox.url))
        return session

    return connect


def test_a_video_is_uploaded_and_posted(vk, sandbox, clip):
    sandbox.control("options", processing_seconds=60)
    session = vk()
    video = vk_api.VkUpload(session).video(io.BytesIO(clip), name="Закат", description="Над Волгой", wallpost=False)
    assert (video["owner_id"], video["size"], video["title"]) == (1, len(clip), "Закат")
    api = session.get_api()
    name = f"video{video['owner_id']}_{video['video_id']}"
    posted = api.wall.post(owner_id=1, message="Смотрите", attachments=[name], guid="publication-1")
    assert api.wall.post(owner_id=1, message="Смотрите", attachments=[name], guid="publication-1") == posted

    [post] = sandbox.posts
    assert post == {
        "platform": "vk",
        "account": "1",
        "id": str(video["video_id"]),
        "title": "Закат",
        "bytes": len(clip),
        "sha256": sha256(clip),
        "url": f"{sandbox.url}/vk/{name}",
        "created_at": post["created_at"],
        "visible": True,
        "facts": {"comments": True, "wall": {"id": posted["post_id"], "comments": True}},
    }
    assert video["direct_link"] == post["url"]
    [item] = api.video.get(videos=f"1_{video['video_id']}")["items"]
    assert (item["id"], item["title"], item["processing"]) == (video["video_id"], "Закат", 1)
    [on_wall] = api.wall.get(owner_id=1, count=20)["items"]
    assert (on_wall["id"], on_wall["text"]) == (posted["post_id"], "Смотрите")
    assert on_wall["attachments"][0]["video"]["id"] == video["video_id"]


def test_a_video_goes_to_a_community(vk, sandbox, clip):
    session = vk()
    video = vk_api.VkUpload(session).video(io.BytesIO(clip), name="Закат", group_id=101, wallpost=True)
    assert video["owner_id"] == -101
    [on_wall] = session.get_api().wall.get(owner_id=-101)["items"]
    assert on_wall["from_id"] == -101
    [post] = sandbox.posts
    assert (post["account"], post["url"]) == ("-101", f"{sandbox.url}/vk/video-101_{video['video_id']}")


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("video.save", {"name": "x", "group_id": 102}, 204),
        ("video.save", {"name": "x" * 129}, 100),
        ("wall.post", {"owner_id": -102, "message": "x"}, 214),
        ("wall.post", {"owner_id": 1}, 100),
        ("wall.post", {"attachments": "video1_1"}, 100),
        ("video.delete", {"owner_id": 1, "video_id": 5}, 204),
        ("nothing.get", {}, 3),
    ],
)
def test_vk_api_raises_errors(vk, method, params, code):
    with pytest.raises(vk_api.ApiError) as refusal:
        vk().method(method, params)
    assert refusal.value.code == code


def test_vk_api_raises_on_an_expired_token(vk, sandbox):
    sandbox.control("expire", platform="vk", token=TOKEN)
    with pytest.raises(vk_api.ApiError, match="access_token has expired") as refusal:
        vk().get_api().users.get()
    assert refusal.value.code == 5
    with pytest.raises(vk_api.ApiError, match="invalid access_token"):
        vk("vk1.a.unknown").get_api().users.get()


def test_vk_api_raises_on_a_captcha(vk, sandbox):
    sandbox.trouble({"match": "users.get", "do": "error:14"})
    with pytest.raises(vk_api.Captcha) as captcha:
        vk().get_api().users.get()
    assert captcha.value.get_url().startswith("https://")


def test_vk_api_stays_within_the_rate_limit(vk, sandbox):
    sandbox.control("options", rate_limits=True)
    api = vk().get_api()
    assert [api.users.get()[0]["id"] for _ in range(5)] == [1] * 5


def test_vk_api_raises_on_garbage(vk, sandbox):
    sandbox.trouble({"match": "users.get", "do": "garbage"})
    with pytest.raises(requests.exceptions.JSONDecodeError):
        vk().get_api().users.get()
