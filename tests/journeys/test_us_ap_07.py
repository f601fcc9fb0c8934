"""US-AP-07: a creator sees what became of the publications, on the card, in the list and one by one."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, begin, publish, row, upload


@pytest.fixture(scope="module")
def named_clip(tmp_path_factory) -> Callable:
    """A clip's file, called so."""
    folder = tmp_path_factory.mktemp("clips")
    return lambda name: test_clips.write(folder / f"{name}.mp4")


@pytest.fixture
def creator(page: Page, vezde: Running, request) -> Page:
    """Somebody new on Pro, with a channel."""
    begin(page, vezde, f"{request.node.originalname.replace('_', '-')}@example.org", "Pro", ("telegram",))
    return page


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("article", name=title)


def entry(page: Page, title: str) -> Locator:
    return page.get_by_role("main").get_by_role("listitem").filter(has=page.get_by_role("heading", name=title))


def open_list(page: Page) -> None:
    page.get_by_role("navigation", name="Главное меню").get_by_role("link", name="План").click()
    page.get_by_role("navigation", name="Вид плана").get_by_role("link", name="Список").click()
    page.get_by_role("navigation", name="Какие публикации").get_by_role("link", name="Все", exact=True).click()
    expect(page).to_have_url(re.compile("/publications$"))


def test_ac1_ac2_the_card_shows_the_status_and_then_the_link(creator: Page, vezde: Running, named_clip):
    upload(creator, named_clip("Закат"))
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "delay:3"}])
    publish(creator, card(creator, "Закат"))
    expect(card(creator, "Закат")).to_contain_text("Публикация...")
    link = card(creator, "Закат").get_by_role("link", name="Опубликовано")
    expect(link).to_be_visible(timeout=PUBLISHING_MS)
    with creator.expect_popup() as opened:
        link.click()
    [post] = vezde.posts
    assert opened.value.url == post["url"]
    opened.value.close()


def test_ac1_ac3_a_failed_one_says_why_and_can_be_tried_again(creator: Page, vezde: Running, named_clip):
    upload(creator, named_clip("Кофе"))
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "error:400"}])
    publish(creator, card(creator, "Кофе"))
    expect(card(creator, "Кофе")).to_contain_text("Ошибка", timeout=PUBLISHING_MS)
    expect(card(creator, "Кофе")).to_contain_text("Telegram не находит канал. Проверьте, что канал не удалён")
    expect(row(card(creator, "Кофе"), "Telegram")).to_contain_text("Ответ площадки: ")
    expect(card(creator, "Кофе").get_by_role("button", name="Повторить")).to_be_visible()

    # The same from the list, where the row changes in place.
    open_list(creator)
    creator.get_by_label("Статус").select_option("Ошибка")
    expect(creator).to_have_url(re.compile(r"/publications\?status=failed$"))
    vezde.control("trouble", rules=[])
    entry(creator, "Кофе").get_by_role("button", name="Повторить").click()
    expect(entry(creator, "Кофе").get_by_role("link", name="Опубликовано")).to_be_visible(timeout=PUBLISHING_MS)
    assert len(vezde.posts) == 1

    # Its own page tells both attempts.
    entry(creator, "Кофе").get_by_role("link", name="Кофе").click()
    story = creator.get_by_role("region", name="История")
    for said in ("Попытка 1", "Не опубликована", "Попытка 2", "Повтор по вашей просьбе", "Опубликована"):
        expect(story).to_contain_text(said)
    expect(story).to_contain_text("Площадка подтвердила: отправка в канал")
    creator.get_by_role("link", name="Клип «Кофе»").click()
    details = creator.get_by_role("region", name="Кофе")
    expect(details).to_be_visible()
    details.get_by_role("link", name="История: Telegram").click()
    expect(creator.get_by_role("heading", name="Кофе", exact=True)).to_be_visible()


def test_the_list_is_searched_and_filtered_while_it_lives(creator: Page, vezde: Running, named_clip):
    for title in ("Ёжик в тумане", "Сырники"):
        upload(creator, named_clip(title))
    publish(creator, card(creator, "Ёжик в тумане"))
    expect(card(creator, "Ёжик в тумане")).to_contain_text("Опубликовано", timeout=PUBLISHING_MS)
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "delay:6"}])
    publish(creator, card(creator, "Сырники"))
    open_list(creator)
    expect(entry(creator, "Сырники")).to_contain_text("Публикация...")

    # The poll changes a row under the hands of somebody who types.
    creator.get_by_label("Поиск").fill("сыр")
    expect(entry(creator, "Ёжик")).to_have_count(0)
    expect(entry(creator, "Сырники")).to_contain_text("Опубликовано", timeout=PUBLISHING_MS)
    expect(creator.get_by_label("Поиск")).to_be_focused()
    expect(creator.get_by_label("Поиск")).to_have_value("сыр")

    creator.get_by_label("Поиск").fill("ЕЖИК")
    expect(entry(creator, "Ёжик в тумане")).to_be_visible()
    expect(entry(creator, "Сырники")).to_have_count(0)
    creator.reload()
    expect(creator.get_by_label("Поиск")).to_have_value("ЕЖИК")
    creator.get_by_label("Площадка").select_option("VK")
    expect(creator.get_by_role("heading", name="Ничего не нашлось")).to_be_visible()
    creator.get_by_role("link", name="Сбросить фильтры").click()
    expect(entry(creator, "Ёжик в тумане")).to_be_visible()
    creator.get_by_role("combobox", name="Клип").select_option("Сырники")
    expect(entry(creator, "Ёжик в тумане")).to_have_count(0)
    creator.go_back()
    expect(entry(creator, "Ёжик в тумане")).to_be_visible()


def test_an_open_dialog_outlives_the_poll(creator: Page, vezde: Running, named_clip):
    for title in ("Первый", "Второй"):
        upload(creator, named_clip(title))
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "lose_answer", "nth": 1}])
    publish(creator, card(creator, "Первый"))
    expect(card(creator, "Первый")).to_contain_text("Проверьте", timeout=90_000)
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "delay:6"}])
    publish(creator, card(creator, "Второй"))
    open_list(creator)
    expect(entry(creator, "Второй")).to_contain_text("Публикация...")
    entry(creator, "Первый").get_by_role("button", name="Есть").click()
    dialog = creator.get_by_role("dialog")
    dialog.get_by_label("Ссылка").fill("https://t.me/vezde_demo/1")
    expect(creator.locator(".entry", has_text="Второй")).to_contain_text("Опубликовано", timeout=PUBLISHING_MS)
    expect(dialog.get_by_label("Ссылка")).to_be_focused()
    expect(dialog.get_by_label("Ссылка")).to_have_value("https://t.me/vezde_demo/1")
    dialog.get_by_role("button", name="Есть").click()
    link = entry(creator, "Первый").get_by_role("link", name="Опубликовано")
    expect(link).to_have_attribute("href", "https://t.me/vezde_demo/1")
    expect(creator.get_by_text("Проверьте: ")).to_have_count(0)
