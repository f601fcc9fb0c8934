"""HTTP requests to the Bot API: encodings of parameters, errors, pages of t.me."""

import re

import pytest
import requests

from tests.sandbox.conftest import BOT, CHANNEL


@pytest.mark.parametrize(
    "kwargs",
    [
        {"params": {"chat_id": "@vezde_demo"}},
        {"data": {"chat_id": "@vezde_demo"}},
        {"json": {"chat_id": CHANNEL}},
        {"files": {"chat_id": (None, "@vezde_demo")}},
    ],
    ids=["query", "urlencoded", "json", "multipart"],
)
def test_parameters_are_accepted_in_four_encodings(sandbox, kwargs):
    response = requests.post(f"{sandbox.url}/telegram/bot{BOT}/getChat", timeout=10, **kwargs)
    assert response.json()["result"]["id"] == CHANNEL


@pytest.mark.parametrize(
    ("method", "path", "code", "description"),
    [
        ("GET", f"bot{BOT}/getNothing", 404, "Not Found: method not found"),
        ("GET", f"bot{BOT}", 404, "Not Found"),
        ("GET", "botwithout-colon/getMe", 404, "Not Found"),
        ("GET", "bot110201543:wrong/getMe", 401, "Unauthorized"),
        ("PUT", f"bot{BOT}/getMe", 405, "Method Not Allowed"),
        ("GET", f"bot{BOT}/getChat", 400, "Bad Request: chat_id is empty"),
        (
            "GET",
            f"bot{BOT}/getChatMember?chat_id={CHANNEL}&user_id=me",
            400,
            "Bad Request: invalid user_id specified",
        ),
        (
            "GET",
            f"bot{BOT}/sendVideo?chat_id={CHANNEL}",
            400,
            "Bad Request: there is no video in the request",
        ),
        (
            "GET",
            f"bot{BOT}/sendVideo?chat_id={CHANNEL}&video=clip.mp4",
            400,
            "Bad Request: wrong file identifier/HTTP URL specified",
        ),
    ],
)
def test_errors_have_the_vendors_format(sandbox, method, path, code, description):
    response = requests.request(method, f"{sandbox.url}/telegram/{path}", timeout=10)
    assert response.status_code == code
    assert response.json() == {"ok": False, "error_code": code, "description": description}


def test_method_names_are_case_insensitive(sandbox):
    assert requests.get(f"{sandbox.url}/telegram/bot{BOT}/GETME", timeout=10).json()["ok"]


def test_a_429_has_retry_after(sandbox, send):
    sandbox.control("options", telegram={"rate_limits": True}, rate_limits=True)
    send()
    response = send()
    assert response.status_code == 429
    assert response.json()["parameters"] == {"retry_after": 1}
    assert response.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        ({"width": "wide"}, "invalid width specified"),
        ({"duration": "-1"}, "invalid duration specified"),
        ({"parse_mode": "HTML"}, "unsupported parse_mode"),
        ({"chat_id": ""}, "chat_id is empty"),
    ],
)
def test_wrong_fields_are_refused(sandbox, send, fields, description):
    response = send(**fields)
    assert response.json()["description"] == f"Bad Request: {description}"
    assert sandbox.posts == sandbox.drafts == []


def test_the_file_has_to_be_called_video(sandbox, send):
    assert send(name="file").json()["description"] == "Bad Request: there is no video in the request"
    assert send(name="part", video="attach://part").json()["ok"]
    assert send(b"").json()["description"] == "Bad Request: file must be non-empty"
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize(
    ("size", "description"),
    [((180, 320), None), ((180, 322), "Bad Request: PHOTO_INVALID_DIMENSIONS")],
)
def test_thumbnails_are_small(sandbox, jpeg, size, description):
    files = {"video": ("clip.mp4", b"clip"), "thumbnail": ("t.jpg", jpeg(*size))}
    url = f"{sandbox.url}/telegram/bot{BOT}/sendVideo"
    response = requests.post(url, {"chat_id": CHANNEL}, files=files, timeout=10).json()
    assert (response["ok"], response.get("description")) == (description is None, description)


@pytest.mark.parametrize("picture", ["thumbnail", "cover"])
def test_pictures_are_jpegs(sandbox, picture):
    files = {"video": ("clip.mp4", b"clip"), picture: ("t.png", b"\x89PNG")}
    url = f"{sandbox.url}/telegram/bot{BOT}/sendVideo"
    response = requests.post(url, {"chat_id": CHANNEL}, files=files, timeout=10).json()
    assert response["description"] == "Bad Request: IMAGE_PROCESS_FAILED"


def test_a_broken_multipart_is_refused(sandbox):
    response = requests.post(
        f"{sandbox.url}/telegram/bot{BOT}/sendVideo",
        b"--x\r\nContent-Disposition: form-data; name=chat_id\r\n\r\n1",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        timeout=10,
    )
    assert response.json()["error_code"] == 400


def test_a_post_opens_with_a_player(sandbox, send, clip):
    send(clip, caption="Закат <b>\nНад Волгой")
    page = requests.get(sandbox.posts[0]["url"], timeout=10)
    assert "Закат &lt;b&gt;" in page.text
    source = re.search(r'<video[^>]* src="([^"]+)"', page.text)[1]
    played = requests.get(sandbox.url + source, timeout=10)
    assert played.content == clip
    assert played.headers["Content-Type"] == "video/mp4"
    part = requests.get(sandbox.url + source, headers={"Range": "bytes=10-19"}, timeout=10)
    assert (part.status_code, part.content) == (206, clip[10:20])


def test_a_channel_shows_its_posts(sandbox, send):
    send(caption="Первый")
    send(caption="Второй")
    page = requests.get(f"{sandbox.url}/telegram-web/vezde_demo", timeout=10).text
    assert page.index("Второй") < page.index("Первый")
    assert requests.get(f"{sandbox.url}/telegram-web/nowhere", timeout=10).status_code == 404


@pytest.mark.parametrize(
    ("views", "shown"),
    [(0, "0"), (999, "999"), (1000, "1K"), (1290, "1.2K"), (999_999, "999.9K"), (3_000_000, "3M")],
)
def test_the_widget_rounds_views(sandbox, send, views, shown):
    send()
    sandbox.control("stats", platform="telegram", id="1", views=views)
    page = requests.get(f"{sandbox.url}/telegram-web/vezde_demo/1?embed=1", timeout=10).text
    assert f'<span class="tgme_widget_message_views">{shown}</span>' in page


def test_the_widget_can_omit_views(sandbox, send):
    send()
    sandbox.control("stats", platform="telegram", id=1, account=CHANNEL, views=None, likes=1500)
    page = requests.get(f"{sandbox.url}/telegram-web/vezde_demo/1?embed=1", timeout=10).text
    assert "tgme_widget_message_views" not in page
    assert "1.5K</span>" in page


def test_the_widget_shows_an_error_for_an_unknown_post(sandbox):
    response = requests.get(f"{sandbox.url}/telegram-web/vezde_demo/5?embed=1", timeout=10)
    assert (response.status_code, "tgme_widget_message_error" in response.text) == (200, True)
    assert requests.get(f"{sandbox.url}/telegram-web/vezde_demo/5", timeout=10).status_code == 404
