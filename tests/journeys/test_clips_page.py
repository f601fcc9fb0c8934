"""«Клипы»: cards and rows, what is looked for, the panel, what is done with several; with and without a script."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, begin, panel, publish, upload

TITLES = ("Ёжик в тумане", "Сырники", "Закат")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return [test_clips.write(folder / f"{title}.mp4") for title in TITLES]


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("article", name=title)


def titles(page: Page) -> list[str]:
    return [one.get_attribute("aria-label") for one in page.get_by_role("article").all()]


def sideways(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_the_page_of_clips(page: Page, vezde: Running, files, chromium: Browser):
    begin(page, vezde, "clips-page@example.org", "Pro", ("telegram",))
    for file in files:
        upload(page, file)
    page.reload()
    assert titles(page) == ["Закат", "Сырники", "Ёжик в тумане"]

    # Looking for a clip: as one types, in the address, without Ё and capitals; then sorted.
    search = page.get_by_label("Поиск по названию")
    search.fill("ЕЖИК")
    expect(card(page, "Закат")).to_have_count(0)
    expect(card(page, "Ёжик в тумане")).to_be_visible()
    expect(search).to_be_focused()
    expect(page).to_have_url(re.compile(r"/\?q="))
    page.reload()
    expect(search).to_have_value("ЕЖИК")
    search.fill("борщ")
    expect(page.get_by_role("heading", name="Ничего не нашлось")).to_be_visible()
    page.get_by_role("link", name="Показать все").click()
    expect(page.get_by_role("article")).to_have_count(3)
    page.get_by_label("Порядок").select_option("По названию")
    expect(page.get_by_role("article").first).to_have_attribute("aria-label", "Ёжик в тумане")

    # The panel, by keyboard: its address, its close, and the focus that comes back.
    title = card(page, "Закат").get_by_role("heading").get_by_role("link")
    title.focus()
    page.keyboard.press("Enter")
    details = page.get_by_role("region", name="Закат")
    expect(details.get_by_role("heading", name="Закат")).to_be_focused()
    expect(page).to_have_url(re.compile(r"clip=\d+"))
    page.reload()
    expect(details).to_be_visible()
    page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    expect(page).not_to_have_url(re.compile("clip="))
    title.click()
    expect(details).to_be_visible()
    page.go_back()
    expect(details).to_be_hidden()
    expect(page.get_by_role("article")).to_have_count(3)

    # It lives: the poll renews it beside the card, whose next step follows.
    details = panel(card(page, "Закат"))
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "error:400"}])
    publish(page, card(page, "Закат"))
    expect(details).to_contain_text("Ответ площадки: ", timeout=PUBLISHING_MS)
    expect(page.get_by_role("link", name="Требует внимания: 1")).to_be_visible()
    vezde.control("trouble", rules=[])
    card(page, "Закат").get_by_role("button", name="Повторить").click()
    expect(details.get_by_role("link", name="Опубликовано")).to_be_visible(timeout=PUBLISHING_MS)
    expect(card(page, "Закат").get_by_role("button", name="Ещё раз")).to_be_visible()
    expect(page.get_by_role("link", name="Требует внимания")).to_be_hidden()
    page.get_by_label("Показать").select_option("Опубликованы везде")
    expect(page.get_by_role("article")).to_have_count(1)
    expect(details).to_be_visible()
    page.get_by_role("link", name="Закрыть", exact=True).click()
    page.get_by_label("Показать").select_option("Все клипы")
    expect(page.get_by_role("article")).to_have_count(3)

    # The menu: Esc closes it and keeps the focus there.
    more = card(page, "Сырники").locator("summary")
    more.press("Enter")
    expect(card(page, "Сырники").get_by_role("link", name="Подробности")).to_be_visible()
    page.keyboard.press("Escape")
    expect(card(page, "Сырники").get_by_role("link", name="Подробности")).to_be_hidden()
    expect(more).to_be_focused()

    # Without a script the same: a form, rows, the panel's page, and what is done with several.
    context = chromium.new_context(
        base_url=vezde.url, java_script_enabled=False, storage_state=page.context.storage_state()
    )
    plain = context.new_page()
    plain.goto("/")
    plain.get_by_label("Поиск по названию").fill("ежик")
    plain.get_by_role("button", name="Показать").click()
    assert titles(plain) == ["Ёжик в тумане"]
    plain.get_by_role("link", name="Списком").click()
    plain.get_by_role("link", name="Ёжик в тумане").click()
    expect(plain.get_by_role("region", name="Ёжик в тумане")).to_contain_text("Ещё не опубликован.")
    plain.get_by_role("link", name="Клипы").last.click()
    plain.get_by_label("Выбрать: Ёжик в тумане").check()
    plain.locator("#bulk").get_by_role("button", name="Удалить").click()
    expect(plain.get_by_text("удалятся насовсем")).to_be_visible()
    context.close()

    # Several: with shift, in both views, on any width; what a poll renews stays chosen.
    page.goto("/?view=list")
    for width in (320, 768, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        assert sideways(page) == 0, width
    page.set_viewport_size({"width": 1280, "height": 860})
    assert {round(one.bounding_box()["height"]) for one in page.get_by_role("article").all()} <= {56, 57}
    page.get_by_label("Выбрать: Закат").check()
    page.get_by_label("Выбрать: Ёжик в тумане").click(modifiers=["Shift"])
    bar = page.get_by_role("form", name="Выбранные клипы")
    expect(bar).to_contain_text("Выбрано: 3")
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    page.get_by_role("link", name="Карточками").click()
    expect(page.get_by_role("link", name="Карточками")).to_have_attribute("aria-current", "true")
    for width in (320, 390, 768, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        assert sideways(page) == 0, width
    page.set_viewport_size({"width": 1280, "height": 860})
    card(page, "Сырники").hover()
    page.get_by_label("Выбрать: Сырники").check()
    page.get_by_label("Выбрать: Ёжик в тумане").check()
    publish(page, card(page, "Сырники"))
    expect(card(page, "Сырники").get_by_role("link", name="Опубликовано")).to_be_visible(timeout=PUBLISHING_MS)
    expect(bar).to_contain_text("Выбрано: 2")
    bar.get_by_role("button", name="Удалить").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_contain_text(re.compile(r"Удалить 2\s+клипа\?"))
    dialog.get_by_role("button", name="Удалить").click()
    expect(page.get_by_role("article")).to_have_count(1)
    expect(bar).to_be_hidden()


def test_on_a_phone(page: Page, vezde: Running, files, chromium: Browser):
    begin(page, vezde, "clips-phone@example.org")
    for file in files[:2]:
        upload(page, file)
    context = chromium.new_context(
        base_url=vezde.url,
        storage_state=page.context.storage_state(),
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
    )
    phone = context.new_page()
    phone.goto("/")
    phone.get_by_role("link", name="Сырники").click()
    details = phone.get_by_role("region", name="Сырники")
    expect(details).to_be_visible()
    expect(phone.locator("#list")).to_have_js_property("inert", True)
    phone.touchscreen.tap(195, 20)  # beside the sheet
    expect(details).to_be_hidden()
    expect(phone.locator("#list")).to_have_js_property("inert", False)

    # A long press chooses, and plays nothing.
    box = card(phone, "Сырники").bounding_box()
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 150}
    touch = context.new_cdp_session(phone)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
    phone.wait_for_timeout(700)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(phone.get_by_role("form", name="Выбранные клипы")).to_contain_text("Выбран: 1")
    expect(phone.get_by_role("dialog")).to_be_hidden()
    phone.get_by_label("Выбрать: Ёжик в тумане").tap()
    expect(phone.get_by_role("form", name="Выбранные клипы")).to_contain_text("Выбрано: 2")
    phone.get_by_role("button", name="Снять").tap()
    expect(phone.get_by_role("form", name="Выбранные клипы")).to_be_hidden()
    card(phone, "Сырники").locator("summary").tap()
    expect(card(phone, "Сырники").get_by_role("button", name="Опубликовать").first).to_be_visible()
    assert sideways(phone) == 0
    context.close()
