"""US-AP-05: Publish Clip Instantly."""

import hashlib

import pytest
import requests
from playwright.sync_api import Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, begin, close_progress, publish, row, upload

PLATFORMS = ("VK", "Rutube", "Дзен", "Telegram")


@pytest.fixture(scope="module")
def ten_seconds(tmp_path_factory):
    return test_clips.write(tmp_path_factory.mktemp("clips") / "Рецепт за минуту.mp4", seconds=10)


@pytest.fixture
def creator(page: Page, vezde: Running, request) -> Page:
    email = f"{request.node.originalname.replace('_', '-')}@example.org"
    begin(page, vezde, email, "Pro", ("vk", "dzen", "rutube", "telegram"))
    return page


def test_one_click_four_platforms(creator: Page, vezde: Running, ten_seconds):
    # None is through before a slow browser has looked at its row.
    vezde.control("options", processing_seconds=8)
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "delay:8"}])
    card = upload(creator, ten_seconds)
    card.get_by_role("button", name="Опубликовать").click()
    dialog = creator.get_by_role("dialog")
    for name in PLATFORMS:
        expect(dialog.get_by_role("checkbox", name=name)).to_be_checked()  # AC1
    dialog.get_by_role("button", name="Опубликовать в 4").click()  # AC2
    close_progress(creator)
    for name in PLATFORMS:
        expect(row(card, name)).to_contain_text("Публикация...")  # AC3, AC4
    for name in PLATFORMS:
        expect(row(card, name).get_by_role("link", name="Опубликовано")).to_be_visible(timeout=PUBLISHING_MS)

    posts = {post["platform"]: post for post in vezde.posts}
    assert posts.keys() == {"vk", "rutube", "dzen", "telegram"} and len(vezde.posts) == 4
    sent = hashlib.sha256(ten_seconds.read_bytes()).hexdigest()
    links = {row(card, name).get_by_role("link", name="Опубликовано").get_attribute("href") for name in PLATFORMS}
    assert links == {post["url"] for post in posts.values()}
    for post in posts.values():
        assert post["sha256"] == sent
        assert "<video" in requests.get(post["url"], timeout=10).text


def test_some_of_the_platforms(creator: Page, vezde: Running, ten_seconds):
    card = upload(creator, ten_seconds)
    card.get_by_role("button", name="Опубликовать").click()
    dialog = creator.get_by_role("dialog")
    for name in ("VK", "Rutube", "Дзен"):
        dialog.get_by_role("checkbox", name=name).uncheck()
    dialog.get_by_role("button", name="Опубликовать в Telegram").click()
    close_progress(creator)
    expect(row(card, "Telegram").get_by_role("link", name="Опубликовано")).to_be_visible(timeout=PUBLISHING_MS)
    assert [post["platform"] for post in vezde.posts] == ["telegram"]


def test_nothing_chosen_is_told(creator: Page, vezde: Running, ten_seconds):
    card = upload(creator, ten_seconds)
    card.get_by_role("button", name="Опубликовать").click()
    dialog = creator.get_by_role("dialog")
    for name in PLATFORMS:
        dialog.get_by_role("checkbox", name=name).uncheck()
    dialog.get_by_role("button", name="Опубликовать").click()
    expect(dialog.get_by_text("Выберите хотя бы одну площадку.")).to_be_visible()
    assert vezde.posts == []


def test_what_does_not_fit_is_said_and_the_rest_goes(creator: Page, vezde: Running, tmp_path):
    wide = test_clips.write(tmp_path / "Широкий.mp4", shape=test_clips.WIDE, seconds=2)
    card = upload(creator, wide)
    card.get_by_role("button", name="Опубликовать").click()
    dialog = creator.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", name="VK")).not_to_be_checked()  # only by one's own word, with another frame
    expect(dialog.get_by_text("Нужен вертикальный или квадратный клип.")).to_be_visible()
    expect(dialog.get_by_role("checkbox", name="Дзен")).to_be_disabled()
    expect(dialog.get_by_text("Клип короче 5 с")).to_be_visible()
    dialog.get_by_role("button", name="Опубликовать").click()
    close_progress(creator)
    for name in ("Rutube", "Telegram"):
        expect(row(card, name).get_by_role("link", name="Опубликовано")).to_be_visible(timeout=PUBLISHING_MS)
    assert {post["platform"] for post in vezde.posts} == {"rutube", "telegram"}


def test_a_title_that_is_too_long_is_told_while_it_is_typed(creator: Page, ten_seconds):
    card = upload(creator, ten_seconds)
    card.get_by_role("button", name="Опубликовать").click()
    dialog = creator.get_by_role("dialog")
    dialog.get_by_role("tab", name="Rutube").click()
    own = dialog.get_by_role("tabpanel", name="Rutube")
    note = own.get_by_text("Название длиннее 100 знаков")
    expect(note).to_be_hidden()
    own.get_by_label("Название").fill("я" * 101)
    expect(note).to_be_visible()
    expect(own).to_contain_text("101 из 100")
    expect(dialog.get_by_role("tab", name="Rutube (свой текст, не помещается)")).to_be_visible()
    own.get_by_label("Название").fill("🎬" * 100)
    expect(note).to_be_hidden()


def test_failure_after_three_retries_offers_a_retry(creator: Page, vezde: Running, ten_seconds):
    vezde.control("trouble", rules=[{"match": r"shortVideo\.create", "do": "status:502"}])
    card = upload(creator, ten_seconds)
    publish(creator, card)
    failed = row(card, "VK")
    expect(failed).to_contain_text("Ошибка", timeout=PUBLISHING_MS)  # AC5
    tries = [one for one in vezde.control("requests")["requests"] if one["path"].endswith("shortVideo.create")]
    assert len(tries) == 4, "the first try and three retries"
    vezde.control("trouble", rules=[])
    failed.get_by_role("button", name="Повторить").click()
    expect(row(card, "VK").get_by_role("link", name="Опубликовано")).to_be_visible(timeout=PUBLISHING_MS)
    assert len(vezde.posts) == 4


def test_a_clip_that_is_not_ready_cannot_be_published(creator: Page, tmp_path):
    broken = tmp_path / "Сломанный.mp4"
    broken.write_bytes(b"\0\0\0\x18ftypmp42" + b"this is no video at all" * 1000)
    creator.get_by_role("link", name="Клипы").first.click()
    creator.get_by_label("Загрузить клип").first.set_input_files(broken)
    card = creator.get_by_role("article", name="Сломанный")
    expect(card).to_contain_text("Ошибка", timeout=PUBLISHING_MS)
    expect(card.get_by_role("button", name="Удалить").last).to_be_visible()
    expect(card.get_by_role("button", name="Опубликовать")).to_have_count(0)  # AC6
