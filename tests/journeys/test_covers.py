"""A cover is chosen in the browser: a frame of the strip, then an own picture; each becomes the clip's."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import clips as test_clips
from tests import pictures
from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, begin, publish, upload


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return test_clips.write(tmp_path_factory.mktemp("clips") / "Закат.mp4", seconds=4, black_seconds=1.5)


def test_a_cover_is_chosen(page: Page, vezde: Running, file: Path, tmp_path: Path):
    begin(page, vezde, "covers@example.org", "Pro", ("telegram",))
    upload(page, file)
    page.get_by_role("article", name="Закат").get_by_role("heading").get_by_role("link").click()
    details = page.get_by_role("region", name="Закат")
    before = _poster(details)

    # A frame, by keyboard.
    dialog = _open(page, details)
    frames = dialog.get_by_role("radio", name=re.compile("^Кадр"))
    expect(frames).to_have_count(12)
    frames.nth(1).focus()
    page.keyboard.press("ArrowRight")
    expect(frames.nth(2)).to_be_checked()
    dialog.get_by_role("button", name="Сохранить").click()
    expect(dialog).to_be_hidden()
    expect(details.locator("video")).not_to_have_attribute("poster", before)
    by_moment = _poster(details)

    # A moment that the clip does not have is refused; typing it has pressed its button.
    dialog = _open(page, details)
    expect(frames.nth(2)).to_be_checked()
    dialog.get_by_role("textbox", name="Момент клипа").fill("9:00")
    expect(dialog.get_by_role("radio", name="Другой момент")).to_be_checked()
    dialog.get_by_role("button", name="Сохранить").click()
    expect(dialog.get_by_text("В клипе нет такого момента")).to_be_visible()

    # An own picture.
    picture = tmp_path / "моя.png"
    picture.write_bytes(pictures.png(540, 960, gray=90))
    dialog.get_by_label("Файл с картинкой").set_input_files(picture)
    expect(dialog.get_by_role("radio", name="Своя картинка")).to_be_checked()
    dialog.get_by_role("button", name="Сохранить").click()
    expect(dialog).to_be_hidden()
    expect(details.locator("video")).not_to_have_attribute("poster", by_moment)

    # It goes with the clip.
    card = page.get_by_role("article", name="Закат")
    publish(page, card)
    expect(card.get_by_role("link", name="Опубликовано")).to_be_visible(timeout=PUBLISHING_MS)
    [post] = vezde.posts
    assert post["facts"]["cover"] and post["facts"]["thumbnail"]


def _open(page: Page, details: Locator) -> Locator:
    details.get_by_role("button", name="Обложка").click()
    dialog = page.get_by_role("dialog", name="Обложка")
    expect(dialog).to_be_visible()
    return dialog


def _poster(details: Locator) -> str:
    return details.locator("video").get_attribute("poster")
