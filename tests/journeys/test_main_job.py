"""The main job: from sign-up to a link that opens the clip, through what a person sees."""

import hashlib

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import (
    PUBLISHING_MS,
    begin,
    close_progress,
    connect_by_consent,
    connect_telegram,
    publish,
    row,
    sign_in,
    sign_up,
    upload,
)


@pytest.fixture(scope="module")
def minute(tmp_path_factory):
    """A real minute of 1080×1920 H.264 with sound."""
    path = tmp_path_factory.mktemp("clips") / "Закат над Волгой.mp4"
    return test_clips.write(path, shape=test_clips.FULL_HD, seconds=60)


def test_from_sign_up_to_the_link(page: Page, vezde: Running, minute):
    sign_up(page, "anna@example.org", plan="Pro")
    connect_telegram(page)
    expect(page.get_by_text("Везде — демо").first).to_be_visible()
    card = upload(page, minute)
    publish(page, card)
    expect(card).to_contain_text("Опубликовано", timeout=PUBLISHING_MS)
    [post] = vezde.posts
    link = row(card, "Telegram").get_by_role("link", name="Опубликовано").get_attribute("href")
    assert link == post["url"]
    sent = requests.get(link, timeout=10)
    assert sent.ok and "<video" in sent.text
    assert post["sha256"] == hashlib.sha256(minute.read_bytes()).hexdigest()
    assert post["bytes"] == minute.stat().st_size


def test_one_press_publishes_the_same_bytes_to_six_platforms(page: Page, vezde: Running, tmp_path):
    platforms = ("vk", "rutube", "dzen", "telegram", "tiktok", "youtube")
    begin(page, vezde, "six@example.org", "Pro", platforms[:-1])
    connect_by_consent(page, "YouTube")
    clip = test_clips.write(tmp_path / "Закат.mp4", shape=(360, 640), seconds=6)
    card = upload(page, clip)
    card.get_by_role("button", name="Опубликовать").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("tab", name="TikTok").click()
    # What TikTok wants a person to choose for each clip.
    dialog.get_by_role("tabpanel", name="TikTok").get_by_label("Кто увидит").select_option(label="Все")
    dialog.get_by_role("button", name="Опубликовать в 6").click()
    expect(dialog).to_contain_text("Опубликовано: 6 из 6", timeout=2 * PUBLISHING_MS)
    close_progress(page)
    posts = vezde.posts
    assert sorted(post["platform"] for post in posts) == sorted(platforms)
    assert {post["sha256"] for post in posts} == {hashlib.sha256(clip.read_bytes()).hexdigest()}
    for name in ("VK", "Rutube", "Дзен", "Telegram", "YouTube", "TikTok"):
        assert row(card, name).get_by_role("link", name="Опубликовано").get_attribute("href") in [
            post["url"] for post in posts
        ]


def test_the_first_clip_takes_ten_presses_at_most(page: Page, vezde: Running, vertical_file):
    presses = 0

    def press(target: Locator) -> None:
        nonlocal presses
        presses += 1
        target.click()

    page.goto("/sign-up")
    page.get_by_label("Имя").fill("Анна")
    page.get_by_label("Почта").fill("first@example.org")
    page.get_by_label("Пароль").fill("parol-parol")
    press(page.get_by_role("checkbox"))
    press(page.get_by_role("button", name="Создать аккаунт"))
    press(page.get_by_role("link", name="Выбрать тариф"))
    press(page.get_by_role("button", name="Выбрать Pro"))
    press(page.get_by_role("button", name="Подключить VK"))
    press(page.get_by_role("button", name="Разрешить"))
    expect(page.get_by_role("region", name="VK", exact=True)).to_contain_text("Подключено")
    with page.expect_file_chooser() as chooser:
        press(page.locator("#upload label"))
    chooser.value.set_files(vertical_file)
    press(page.get_by_role("link", name="Клипы", exact=True))
    card = page.get_by_role("article", name=vertical_file.stem)
    expect(card).to_contain_text("Готов", timeout=PUBLISHING_MS)
    press(card.get_by_role("button", name="Опубликовать").last)
    press(page.get_by_role("dialog").get_by_role("button", name="Опубликовать"))
    expect(page.get_by_role("dialog")).to_contain_text("Опубликовано", timeout=PUBLISHING_MS)
    assert presses <= 10


def test_failure_after_three_retries_then_again(page: Page, vezde: Running, heavy_file):
    """Each try is cut before Telegram has all of the clip."""
    sign_in(page, "business@demo.vezde.ru")
    connect_telegram(page)
    card = upload(page, heavy_file)
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "cut_request:50"}])
    publish(page, card)
    expect(card).to_contain_text("Публикация...")
    expect(card).to_contain_text("Ошибка", timeout=PUBLISHING_MS)
    vezde.control("trouble", rules=[])
    card.get_by_role("button", name="Повторить").click()
    expect(card).to_contain_text("Опубликовано", timeout=PUBLISHING_MS)
    assert len(vezde.posts) == 1


def test_free_sees_an_upgrade_prompt(page: Page):
    sign_in(page, "free@demo.vezde.ru")
    page.goto("/settings/integrations")
    expect(page.get_by_role("button", name="Подключить Telegram")).to_have_count(0)
    expect(page.get_by_text("Доступно на тарифе").first).to_be_visible()
