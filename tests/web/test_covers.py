"""«Обложка»: the dialog, the strip of frames, and what works without scripts."""

import io
import re

import pytest

from app.db import db
from app.models import ClipStatus
from tests import pictures

HTMX = {"HX-Request": "true"}


@pytest.fixture
def page(owner, sign_in, ready_clip):
    clip = ready_clip(owner)
    return sign_in(owner), clip, f"/clips/{clip.id}/cover"


def test_the_strip_is_asked_for_and_each_frame_can_be_chosen(page):
    browser, clip, address = page
    asking = browser.get(address, headers=HTMX).text
    assert f'hx-post="/clips/{clip.id}/frames"' in asking and "Показать кадры" in asking
    assert "Готовим кадры…" in browser.post(f"/clips/{clip.id}/frames", headers=HTMX).text
    poll = f"/clips/{clip.id}/frames?chosen=auto"
    assert browser.get(poll).status_code == 204
    pictures.make_all()
    strip = browser.get(poll).text
    moments = re.findall(r'name="choice" value="(\d+)"', strip)
    assert len(moments) == 12 and "every 1s" not in strip
    picture = browser.get(re.search(r'src="([^"]+)"', strip)[1].replace("&amp;", "&"))
    assert picture.content_type == "image/jpeg" and "immutable" in picture.headers["Cache-Control"]
    answer = browser.post(address, data={"choice": moments[3], "before": "auto", "time": ""}, headers=HTMX)
    assert "Готовим обложку" in browser.get(f"/clips/{clip.id}").text
    assert "close-dialog" in answer.headers["HX-Trigger-After-Settle"]
    pictures.make_all()
    assert clip.cover_ms == int(moments[3])
    assert f'value="{moments[3]}" checked' in browser.get(address).text


def test_without_scripts(page):
    """The strip comes with a button; a moment or a file counts though its round button was not pressed."""
    browser, clip, address = page
    assert browser.post(f"/clips/{clip.id}/frames").headers["Location"] == address
    assert "Обновить" in browser.get(address).text
    answer = browser.post(address, data={"choice": "auto", "before": "auto", "time": "0:01,5", "time-before": ""})
    assert answer.status_code == 303
    pictures.make_all()
    assert (clip.cover, clip.cover_ms) == ("moment", 1500)
    sent = {"choice": "time", "before": "time", "time": "0:01,5", "time-before": "0:01,5"}
    browser.post(address, data={**sent, "picture": (io.BytesIO(pictures.png(200, 300)), "a.png")})
    pictures.make_all()
    assert clip.cover == "picture"
    browser.post(address, data={"choice": "auto", "before": "picture"})
    db.session.expire_all()
    assert clip.cover is None


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"choice": "time", "time": "скоро"}, "Напишите момент так"),
        ({"choice": "time", "time": "1:75"}, "Напишите момент так"),
        ({"choice": "time", "time": "0:02,1"}, "нет такого момента"),
        ({"choice": "time", "time": "99:59:59"}, "нет такого момента"),
        ({"choice": "", "time": ""}, "Выберите кадр, момент или картинку"),
        ({"choice": "picture"}, "Выберите файл с картинкой"),
        ({"choice": "picture", "picture": b"GIF89a"}, "Это не JPEG и не PNG"),
        ({"choice": "picture", "picture": b"\xff\xd8\xff" + bytes(10_000_000)}, "больше 10 МБ"),
    ],
)
def test_a_refusal_says_what_to_do_and_keeps_what_was_typed(page, sent, says):
    browser, _clip, address = page
    if "picture" in sent:
        sent = {**sent, "picture": (io.BytesIO(sent["picture"]), "a.png")}
    answer = browser.post(address, data=sent, headers=HTMX)
    assert answer.status_code == 422 and says in answer.text
    if sent.get("time"):
        assert f'name="time" value="{sent["time"]}"' in answer.text


def test_a_clip_that_is_not_ready_has_no_cover_to_choose(page):
    browser, clip, address = page
    clip.status, clip.duration_ms = ClipStatus.PROCESSING, None
    db.session.commit()
    assert browser.get(address, headers=HTMX).status_code == 422


def test_a_picture_that_could_not_be_taken_is_told_beside_the_clip(page):
    browser, clip, address = page
    browser.post(address, data={"choice": "picture", "picture": (io.BytesIO(b"\xff\xd8\xff" + bytes(99)), "a.jpg")})
    pictures.make_all()
    assert "Обложка: Картинка не читается." in browser.get(f"/clips/{clip.id}").text
