"""Дзен without the partner API: everything is made ready, the user publishes and pastes the link."""

import hashlib

import pytest
import requests
from playwright.sync_api import Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, connect_by_consent, platform_card, publish, row, sign_up, upload


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    one = Running(tmp_path_factory.mktemp("var"), DZEN_API_URL="", DZEN_SCOPES="login:info login:avatar")
    yield one
    one.stop()


def test_the_assisted_way(page: Page, vezde: Running, tmp_path):
    clip = test_clips.write(tmp_path / "Утро.mp4", seconds=6)
    sign_up(page, "by-hand@example.org", plan="Pro")
    connect_by_consent(page, "Дзен")
    expect(platform_card(page, "Дзен")).to_contain_text("С вашей помощью")
    card = upload(page, clip)
    card.get_by_role("button", name="Опубликовать").click()
    expect(page.get_by_role("dialog")).to_contain_text("С вашей помощью")
    page.get_by_role("link", name="Закрыть").click()
    publish(page, card)

    waiting = row(card, "Дзен")
    expect(waiting).to_contain_text("Ждёт вас", timeout=PUBLISHING_MS)
    with page.expect_download() as download:
        waiting.get_by_role("link", name="Скачать файл").click()
    assert hashlib.sha256(download.value.path().read_bytes()).digest() == hashlib.sha256(clip.read_bytes()).digest()
    assert download.value.suggested_filename == "Утро.mp4"
    expect(waiting.get_by_label("Текст для публикации")).to_have_value("Утро")
    expect(waiting.get_by_role("link", name="Открыть Дзен Студию")).to_have_attribute(
        "href", "https://dzen.ru/profile/editor"
    )

    waiting.get_by_role("button", name="Вставить ссылку").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Готово").click()
    expect(dialog.get_by_text("Вставьте ссылку на опубликованный клип")).to_be_visible()
    dialog.get_by_label("Ссылка").fill("https://dzen.ru/shorts/abc123")
    dialog.get_by_role("button", name="Готово").click()
    link = row(card, "Дзен").get_by_role("link", name="Опубликовано")
    expect(link).to_have_attribute("href", "https://dzen.ru/shorts/abc123")
    assert requests.get(f"{vezde.sandbox_url}/control/posts", timeout=10).json() == {"posts": []}
