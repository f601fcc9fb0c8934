import re

import pytest
import requests

from tests.sandbox.conftest import BOT


def test_the_page_shows_posts_drafts_and_requests(sandbox, send, clip):
    assert "Пока пусто" in requests.get(sandbox.url, timeout=10).text
    send(clip, caption="Закат над Волгой")
    sandbox.trouble({"match": "sendVideo", "do": "cut_request:60"})
    with pytest.raises(requests.ConnectionError):
        send(bytes(300_000), caption="Недогруженный")
    page = requests.get(sandbox.url, timeout=10).text
    assert "Закат над Волгой" in page
    assert "Недогруженный" in page
    assert "cut_request:60" in page
    assert "POST /telegram/bot&lt;TOKEN&gt;/sendVideo" in page
    assert BOT not in page


def test_a_clip_can_be_downloaded(sandbox, send, clip):
    send(clip, caption="Закат")
    page = requests.get(sandbox.posts[0]["url"], timeout=10).text
    link = re.search(r'href="([^"]+download[^"]+)"', page)[1]
    response = requests.get(sandbox.url + link, timeout=10)
    assert response.content == clip
    assert response.headers["Content-Disposition"].startswith("attachment")


def test_faults_are_switched_by_buttons(sandbox, send):
    page = requests.get(sandbox.url, timeout=10).text
    labels = dict(re.findall(r'name="preset" value="([^"]+)">([^<]+)<', page))
    assert labels["telegram-500"] == "Telegram отвечает 500"
    labels.pop("none", None)
    for preset in labels:
        response = requests.post(f"{sandbox.url}/trouble", {"preset": preset}, timeout=10, allow_redirects=False)
        assert (response.status_code, response.headers["Location"]) == (303, "/")
    assert len(sandbox.control("trouble")["rules"]) == len(labels)
    assert send().status_code == 500
    requests.post(f"{sandbox.url}/trouble", {"preset": "none"}, timeout=10)
    assert sandbox.control("trouble")["rules"] == []
    assert requests.post(f"{sandbox.url}/trouble", {"preset": "earthquake"}, timeout=10).status_code == 400


def test_the_state_can_be_reset(sandbox, send):
    send()
    requests.post(f"{sandbox.url}/reset", timeout=10)
    assert sandbox.posts == []


def test_pages_carry_no_inline_script_or_style(sandbox, send):
    send()
    for path in ("/", "/telegram-web/vezde_demo", "/telegram-web/vezde_demo/1"):
        page = requests.get(sandbox.url + path, timeout=10).text
        assert "<script" not in page
        assert "<style" not in page
        assert not re.search(r'\s(style|on\w+)="', page)
