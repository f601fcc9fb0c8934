"""What the pages show of YouTube: what does not fit, what the day still allows, what was published otherwise."""

import re

import pytest
from flask import current_app

from app import clock, platforms
from app.db import db
from app.models import Publication, Status
from app.services import publications
from app.services.publications import Choice
from tests.platforms import consent
from tests.publishing.conftest import settle
from tests.web.test_clips import HTMX


@pytest.fixture
def owner(user):
    return user(plan="business")


@pytest.fixture
def web(sign_in, owner):
    return sign_in(owner)


@pytest.fixture
def clip(owner, ready_clip):
    return ready_clip(owner, title="5 > 3")


@pytest.fixture
def connection(owner, sandbox):
    return consent.connect(owner, "youtube")


def test_the_window_tells_what_youtube_does_not_take(web, clip, connection):
    page = web.get(f"/clips/{clip.id}/publish", headers=HTMX).text
    panel = page.partition(f'id="panel-{connection.id}"')[2]
    assert 'data-text-unit="bytes" data-forbidden="&lt;&gt;"' in panel
    assert "0 из 5000 байт" in panel
    notes = re.search(rf'id="title-{connection.id}-notes">(.*?)</div>', panel, re.S)[1]
    assert re.search(r'data-forbids="title">.*Площадка не примет &lt; и &gt;', notes, re.S), "shown at once"
    assert "сам показывает в Shorts" in panel
    sent = web.post(f"/clips/{clip.id}/publish", data={"connection": connection.id, "title": "5 > 3"}, headers=HTMX)
    assert sent.status_code == 422
    assert "В названии площадка не примет &gt;: уберите или замените." in sent.text
    assert db.session.query(Publication).count() == 0


def test_the_window_tells_that_the_day_is_over(web, clip, connection):
    current_app.config["YOUTUBE_DAILY_UPLOADS"] = 0
    page = web.get(f"/clips/{clip.id}/publish", headers=HTMX).text
    midnight = platforms.ADAPTERS["youtube"].quota(current_app.config).ends_at(clock.now())
    said = page[page.index("YouTube сегодня больше не примет: опубликованное сейчас выйдет") :][:400]
    assert f'datetime="{midnight.isoformat()}"' in said


@pytest.mark.parametrize(("limit", "said"), [(0, "YouTube сегодня больше не примет: всё"), (2, None)])
def test_many_at_once_are_told_what_the_day_still_allows(web, clip, connection, limit, said):
    current_app.config["YOUTUBE_DAILY_UPLOADS"] = limit
    chosen = {"clip": clip.id, "connection": connection.id, "how": "now", f"title-{clip.id}": "Закат"}
    page = web.post("/bulk", data=chosen).text
    assert (said in page) if said else ("сегодня больше не примет" not in page)


def test_a_video_that_is_not_for_everyone_says_so_wherever_it_is_shown(web, owner, clip, connection, sandbox):
    sandbox.control("options", youtube_privacy="private")
    [one] = publications.publish(owner, clip.id, [Choice(connection.id, "Закат", "")])
    db.session.commit()
    assert settle(one.id).status == Status.PUBLISHED
    said = "YouTube закрыл видео: сейчас его видите только вы"
    for path in (f"/publications/{one.id}", "/publications", "/", f"/clips/{clip.id}"):
        assert said in web.get(path).text, path
