"""HTTP requests to Rutube: it downloads the file itself, and publishes it when it is not hidden."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from sandbox.testing import Sandbox
from tests.sandbox.conftest import sha256, until

TOKEN = "rutube-demo-token"
NOTHING = {"id": 0, "name": ""}


class Source:
    """A web server with one file. `broken`: number of responses that end in the middle."""

    def __init__(self) -> None:
        self.data = b"clip"
        self.status = 200
        self.broken = 0
        self.ranges = True
        self.release = threading.Event()
        self.release.set()
        self.received: list[tuple[str, str | None]] = []
        self.finished = 0
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                source.respond(self)

            def do_GET(self) -> None:
                source.respond(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/media/clip.mp4?sign=abc"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def respond(self, request: BaseHTTPRequestHandler) -> None:
        range_header = request.headers["Range"]
        self.received.append((request.command, range_header))
        start = int(re.fullmatch(r"bytes=(\d+)-", range_header)[1]) if range_header and self.ranges else 0
        body = self.data[start:]
        request.send_response(206 if start else self.status)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Location", "http://127.0.0.1/elsewhere")
        request.end_headers()
        if request.command == "HEAD":
            return
        self.release.wait(10)
        if self.broken:
            self.broken -= 1
            body = body[: len(body) // 2]
        request.wfile.write(body)
        self.finished += 1

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def source(clip) -> Iterator[Source]:
    source = Source()
    source.data = clip
    yield source
    source.close()


class Wire:
    def __init__(self, sandbox: Sandbox) -> None:
        self.url = f"{sandbox.url}/rutube/api"

    def raw(self, method: str, path: str, token: str | None = TOKEN, **kwargs: Any) -> requests.Response:
        headers = {"Authorization": f"Token {token}"} if token else {}
        return requests.request(
            method, f"{self.url}/{path}", headers=headers, timeout=10, allow_redirects=False, **kwargs
        )

    def __call__(self, method: str, path: str, **kwargs: Any) -> Any:
        response = self.raw(method, path, **kwargs)
        assert response.status_code == 200, response.text
        return response.json()

    def create(self, source: Source, **changes: Any) -> str:
        return self("POST", "video/", json=new_video(source.url, **changes))["video_id"]

    def wait(self, number: str, found: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
        """Waits until the video is ready, or until `found(video)`, and returns it."""
        return until(lambda: self._if(number, found or (lambda video: video["status"] == "ready")))

    def _if(self, number: str, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        video = self("GET", f"video/{number}/")
        return video if found(video) else None


def new_video(address: Any, **changes: Any) -> dict[str, Any]:
    """Returns the fields of a new video; None omits a field."""
    fields = {"url": address, "title": "Закат", "description": "Над Волгой", "is_hidden": 1, "category_id": 13}
    return {name: value for name, value in (fields | changes).items() if value is not None}


@pytest.fixture
def rutube(sandbox) -> Wire:
    sandbox.control("options", processing_seconds=0, rutube_unseen_seconds=0)
    return Wire(sandbox)


def test_a_hidden_video_is_downloaded_and_then_published(rutube, sandbox, source, clip):
    number = rutube.create(source, description="marker-1")
    video = rutube.wait(number)
    assert (video["title"], video["is_hidden"], video["is_deleted"]) == ("Закат", True, False)
    assert (video["action_reason"], video["hits"], video["category"]["id"]) == (NOTHING, 0, 13)
    assert video["author"]["name"] == "Волжские закаты"
    assert sandbox.posts == []
    [draft] = sandbox.drafts
    assert (draft["id"], draft["account"], draft["sha256"]) == (number, "23000001", sha256(clip))
    assert source.received == [("HEAD", None), ("GET", None)]
    assert requests.get(video["video_url"], timeout=10).status_code == 404

    changed = rutube("PATCH", f"video/{number}/", json={"title": "Рассвет", "description": "", "is_hidden": 0})
    assert (changed["title"], changed["description"], changed["is_hidden"]) == ("Рассвет", "", False)
    [post] = sandbox.posts
    assert post == {
        "platform": "rutube",
        "account": "23000001",
        "id": number,
        "title": "Рассвет",
        "bytes": len(clip),
        "sha256": sha256(clip),
        "url": f"{sandbox.url}/rutube/video/{number}/",
        "created_at": post["created_at"],
        "visible": True,
        "facts": {"category": "Разное", "adult": False},
    }
    assert changed["video_url"] == post["url"]
    for kind in ("video", "shorts"):
        page = requests.get(f"{sandbox.url}/rutube/{kind}/{number}/", timeout=10).text
        played = requests.get(sandbox.url + re.search(r'<video[^>]* src="([^"]+)"', page)[1], timeout=10)
        assert played.content == clip


def test_a_video_that_is_not_hidden_is_published_after_processing(rutube, sandbox, source):
    sandbox.control("options", processing_seconds=1.5)
    number = rutube.create(source, is_hidden=0)
    assert rutube.wait(number, lambda video: video["status"] == "processing")["is_deleted"] is False
    assert sandbox.posts == []
    until(lambda: sandbox.posts)
    assert [post["visible"] for post in sandbox.posts] == [True]


def test_a_video_can_be_hidden_again(rutube, sandbox, source):
    number = rutube.create(source, is_hidden=0)
    until(lambda: sandbox.posts)
    rutube("PATCH", f"video/{number}/", json={"is_hidden": True})
    assert [post["visible"] for post in sandbox.posts] == [False]
    assert requests.get(f"{sandbox.url}/rutube/video/{number}/", timeout=10).status_code == 404
    rutube("PATCH", f"video/{number}/", json={"is_hidden": False})
    assert [post["visible"] for post in sandbox.posts] == [True]


def test_a_video_can_be_unhidden_before_it_is_ready(rutube, sandbox, source):
    source.release.clear()
    number = rutube.create(source)
    rutube("PATCH", f"video/{number}/", json={"is_hidden": 0})
    assert sandbox.posts == []
    source.release.set()
    until(lambda: sandbox.posts)


def test_a_downloading_video_has_is_deleted(rutube, sandbox, source):
    source.release.clear()
    number = rutube.create(source)
    video = rutube("GET", f"video/{number}/")
    assert (video["is_deleted"], video["action_reason"]["name"]) == (True, "downloading_video")
    [draft] = sandbox.drafts
    assert (draft["id"], draft["sha256"]) == (number, None)
    source.release.set()
    assert rutube.wait(number)["is_deleted"] is False


def test_a_new_video_is_not_found_for_a_moment(rutube, sandbox, source):
    sandbox.control("options", rutube_unseen_seconds=1.5)
    number = rutube.create(source)
    response = rutube.raw("GET", f"video/{number}/")
    assert (response.status_code, response.json()) == (404, {"detail": "Страница не найдена."})
    assert rutube("GET", "video/person/")["results"] == []
    until(lambda: rutube.raw("GET", f"video/{number}/").status_code == 200)
    assert rutube("GET", f"video/{number}/")["id"] == number


def test_moderation_delays_a_video(rutube, sandbox, source):
    sandbox.control("options", moderation=True)
    number = rutube.create(source, is_hidden=0)
    video = rutube.wait(number, lambda video: video["action_reason"]["name"] == "moderation")
    assert (video["status"], video["is_deleted"]) == ("moderation", False)
    assert sandbox.posts == []
    sandbox.control("options", moderation=False)
    assert len(sandbox.posts) == 1


# Downloads


def test_a_broken_download_continues_with_range(rutube, source, sandbox):
    source.data = bytes(range(256)) * 8000
    source.broken = 1
    rutube.wait(rutube.create(source))
    start = int(re.fullmatch(r"bytes=(\d+)-", source.received[-1][1])[1])
    assert 0 < start <= len(source.data) // 2
    assert sandbox.drafts[0]["sha256"] == sha256(source.data)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": 404},
        {"status": 302},
        {"data": b""},
        {"broken": 9},
        {"broken": 1, "ranges": False, "data": bytes(1_000_000)},
    ],
)
def test_a_download_may_fail(rutube, sandbox, source, changes):
    vars(source).update(changes)
    number = rutube.create(source, is_hidden=0)
    video = rutube.wait(number, lambda video: video["status"] != "downloading")
    assert (video["status"], video["is_deleted"]) == ("error", False)
    assert sandbox.posts == []
    assert "не скачан" in requests.get(sandbox.url, timeout=10).text


def test_a_refused_connection_is_an_error(rutube, source):
    source.close()
    number = rutube.create(source)
    assert rutube.wait(number, lambda video: video["status"] == "error")


def test_an_oversized_file_is_not_downloaded(rutube, sandbox, source):
    sandbox.control("options", rutube_max_mb=0.001)
    number = rutube.create(source)
    assert rutube.wait(number, lambda video: video["status"] == "error")
    assert source.received == [("HEAD", None)]


def test_a_channel_has_at_most_five_concurrent_downloads(rutube, sandbox, source):
    source.release.clear()
    numbers = [rutube.create(source) for _ in range(7)]
    until(lambda: len(source.received) >= 10)
    time.sleep(0.5)  # a sixth download, if it were allowed, would begin at once
    assert [method for method, _ in source.received].count("GET") == 5
    source.release.set()
    for number in numbers:
        rutube.wait(number)


def test_a_download_restarts_after_a_kill(rutube, session_sandbox, source, clip):
    source.release.clear()
    number = rutube.create(source)
    until(lambda: len(source.received) == 2)
    session_sandbox.kill()
    session_sandbox.restart()
    source.release.set()
    rutube.wait(number)
    assert session_sandbox.drafts[0]["sha256"] == sha256(clip)


def test_a_video_deleted_during_its_download_stays_deleted(rutube, sandbox, source):
    source.release.clear()
    number = rutube.create(source)
    until(lambda: len(source.received) == 2)
    assert rutube.raw("DELETE", f"video/{number}/").status_code == 204
    source.release.set()
    until(lambda: source.finished == 1)
    later = rutube.create(source)
    rutube.wait(later)
    assert [draft["id"] for draft in sandbox.drafts] == [later]
    assert sandbox.posts == []
    assert rutube.raw("GET", f"video/{number}/").status_code == 404


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://media.example.ru/clip.mp4", True),
        ("http://media.example.ru/clip.mp4", False),
        ("https://93.184.216.34/clip.mp4", False),
        ("https://[2606:2800:220:1::]/clip.mp4", False),
        ("https://intranet/clip.mp4", False),
        ("ftp://media.example.ru/clip.mp4", False),
        ("http://127.0.0.1:8000/clip.mp4", False),
        ("http://127.0.0.1:8001/clip.mp4", True),
        ("http://localhost:8000/clip.mp4", True),
        ("clip.mp4", False),
        (7, False),
    ],
)
def test_urls_are_public_unless_a_host_is_named(rutube, sandbox, url, allowed):
    sandbox.control("options", rutube_local_hosts=["127.0.0.1:8001", "localhost"])
    response = rutube.raw("POST", "video/", json=new_video(url))
    assert response.status_code == (200 if allowed else 400)
    assert ("url" in response.json()) is not allowed


# Requests


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": None}, "url"),
        ({"title": None}, "title"),
        ({"title": " "}, "title"),
        ({"description": None}, "description"),
        ({"description": 5}, "description"),
        ({"is_hidden": None}, "is_hidden"),
        ({"is_hidden": "yes"}, "is_hidden"),
        ({"category_id": None}, "category_id"),
        ({"category_id": 999}, "category_id"),
    ],
)
def test_wrong_fields_are_refused(rutube, sandbox, source, changes, field):
    response = rutube.raw("POST", "video/", json=new_video(source.url, **changes))
    assert (response.status_code, list(response.json())) == (400, [field])
    assert sandbox.drafts == []


def test_bodies_are_json(rutube):
    assert rutube.raw("POST", "video/", data={"url": "x"}).status_code == 415
    headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
    for body in (b"{", b"[]"):
        assert requests.post(f"{rutube.url}/video/", body, headers=headers, timeout=10).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "video/person/"), ("POST", "video/"), ("GET", "video/category/"), ("PATCH", "video/x/")],
)
@pytest.mark.parametrize("token", [None, "wrong", ""])
def test_a_token_is_needed(rutube, method, path, token):
    response = rutube.raw(method, path, token=token)
    assert (response.status_code, list(response.json())) == (401, ["detail"])


def test_the_scheme_is_token(rutube):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert requests.get(f"{rutube.url}/video/person/", headers=headers, timeout=10).status_code == 401


def test_tokens_expire_are_revoked_and_lose_rights(rutube, sandbox, source):
    sandbox.control("tokens", platform="rutube", token="second", account=42, scopes=[], expires_in=60)
    assert rutube("POST", "video/", token="second", json=new_video(source.url))["video_id"]
    sandbox.control("rights", platform="rutube", token="second", scopes=[])
    assert rutube.raw("POST", "video/", token="second", json=new_video(source.url)).status_code == 403
    assert rutube("GET", "video/person/", token="second")["results"][0]["author"]["name"] == "Канал 42"
    sandbox.control("expire", platform="rutube", account=42)
    assert rutube.raw("GET", "video/person/", token="second").status_code == 401
    sandbox.control("revoke", platform="rutube", token=TOKEN)
    assert rutube.raw("GET", "video/person/").status_code == 401
    with pytest.raises(ValueError, match="number"):
        sandbox.control("tokens", platform="rutube", token="x", account="vasya")


def test_videos_of_others_are_not_accessible(rutube, sandbox, source):
    sandbox.control("tokens", platform="rutube", token="second", account=42)
    number = rutube.create(source)
    assert rutube.raw("GET", f"video/{number}/", token="second").status_code == 404
    for method in ("PATCH", "DELETE"):
        assert rutube.raw(method, f"video/{number}/", token="second", json={}).status_code == 403
    rutube("PATCH", f"video/{number}/", json={"is_hidden": 0})
    until(lambda: sandbox.posts)
    assert rutube("GET", f"video/{number}/", token="second")["id"] == number


def test_own_videos_are_listed_page_by_page(rutube, source):
    numbers = [rutube.create(source, description=f"marker-{count}") for count in range(3)]
    page = rutube("GET", "video/person/?limit=2")
    assert [video["id"] for video in page["results"]] == numbers[:0:-1]
    assert page["results"][0]["description"] == "marker-2"
    assert (page["page"], page["per_page"], page["has_next"]) == (1, 2, True)
    headers = {"Authorization": f"Token {TOKEN}"}
    rest = requests.get(page["next"], headers=headers, timeout=10).json()
    assert [video["id"] for video in rest["results"]] == numbers[:1]
    assert (rest["page"], rest["has_next"], rest["next"]) == (2, False, None)
    assert rutube.raw("GET", "video/person/?page=9").status_code == 404


def test_a_channel_has_a_profile(rutube, sandbox):
    profile = requests.get(f"{rutube.url}/profile/user/23000001/", timeout=10).json()
    assert profile["name"] == "Волжские закаты"
    assert requests.get(profile["avatar"], timeout=10).ok
    assert requests.get(f"{rutube.url}/profile/user/5/", timeout=10).status_code == 404
    assert {"id": 13, "name": "Разное"} in rutube("GET", "video/category/")


def test_counts_are_shown(rutube, sandbox, source):
    number = rutube.create(source, is_hidden=0)
    until(lambda: sandbox.posts)
    sandbox.control("stats", platform="rutube", id=number, views=1200, likes=30)
    assert rutube("GET", f"video/{number}/")["hits"] == 1200
    votes = requests.get(f"{rutube.url}/numerator/video/{number}/vote", timeout=10)
    assert votes.json() == {"positive": 30, "negative": 0}
    assert requests.get(f"{rutube.url}/numerator/video/x/vote", timeout=10).status_code == 404
    sandbox.control("stats", platform="rutube", id=number, views=None, likes=None)
    assert rutube("GET", f"video/{number}/")["hits"] is None
    assert requests.get(f"{rutube.url}/numerator/video/{number}/vote", timeout=10).status_code == 404


def test_a_thumbnail_can_be_set(rutube, source, jpeg):
    number = rutube.create(source)
    picture = jpeg(270, 480)
    url = rutube("POST", f"video/{number}/thumbnail/", files={"file": ("t.jpg", picture)})["thumbnail_url"]
    assert requests.get(url, timeout=10).content == picture
    assert rutube("GET", f"video/{number}/")["thumbnail_url"] == url
    for files in ({"picture": picture}, {"file": b"text"}, {"file": picture + bytes(10_000_000)}):
        response = rutube.raw("POST", f"video/{number}/thumbnail/", files=files)
        assert (response.status_code, list(response.json())) == (400, ["file"])


def test_a_publication_can_be_scheduled(rutube, sandbox, source):
    number = rutube.create(source)
    moment = datetime.now(ZoneInfo("Europe/Moscow")) + timedelta(seconds=2)
    stamp = f"{moment:%Y-%m-%d %H:%M:%S}"
    rutube("POST", "video/publication/", json={"video": number, "timestamp": stamp})
    assert sandbox.posts == []
    until(lambda: sandbox.posts)
    for wrong in ("2020-01-01 00:00:00", "tomorrow", None):
        response = rutube.raw("POST", "video/publication/", json={"video": number, "timestamp": wrong})
        assert (response.status_code, list(response.json())) == (400, ["timestamp"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "video/person", 404),
        ("POST", "video", 404),
        ("PUT", "video/x/", 405),
        ("GET", "video/", 405),
        ("GET", "nothing/", 404),
        ("DELETE", "video/unknown/", 404),
    ],
)
def test_unknown_paths_and_methods_are_refused_in_rutubes_format(rutube, method, path, status):
    response = rutube.raw(method, path)
    assert (response.status_code, list(response.json())) == (status, ["detail"])


def test_rate_limits_are_off_by_default(rutube, sandbox):
    sandbox.control("options", rate_limits=True)
    assert {rutube.raw("GET", "video/person/").status_code for _ in range(3)} == {200}
    sandbox.control("options", rutube_rate_limits=True)
    responses = [rutube.raw("GET", "video/person/") for _ in range(2)]
    assert [response.status_code for response in responses] == [200, 429]
    assert responses[1].headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("do", "status", "body"),
    [
        ("status:500", 500, {"detail": "Internal Server Error"}),
        ("error:403", 403, {"detail": "Forbidden"}),
        ("error:Файл не подходит", 400, {"non_field_errors": ["Файл не подходит"]}),
    ],
)
def test_faults_have_rutubes_format(rutube, sandbox, do, status, body):
    sandbox.trouble({"match": "GET /rutube/api/video/", "do": do})
    response = rutube.raw("GET", "video/person/")
    assert (response.status_code, response.json()) == (status, body)
    sandbox.trouble({"match": "GET /rutube/api/video/", "do": "status:429", "retry_after": 7})
    assert rutube.raw("GET", "video/person/").headers["Retry-After"] == "7"
