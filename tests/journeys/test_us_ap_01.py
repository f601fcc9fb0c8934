"""US-AP-01: Connect VK Account."""

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import (
    begin,
    connect_by_consent,
    fill_and_connect,
    open_integrations,
    platform_card,
    publish,
    row,
    upload,
)


def test_vk_is_connected_by_consent(page: Page, vezde: Running):
    begin(page, vezde, "us-ap-01@example.org", "Start")
    open_integrations(page)
    button = page.get_by_role("button", name="Подключить VK")
    expect(button).to_be_visible()  # AC1

    button.click()
    asked = parse_qs(urlsplit(page.url).query)
    assert page.url.startswith(f"{vezde.sandbox_url}/vk-id/authorize")
    assert set(asked["scope"][0].split()) == {"video", "wall"}  # AC2
    assert asked["code_challenge_method"] == ["S256"]
    page.get_by_role("button", name="Разрешить").click()

    card = platform_card(page, "VK")
    expect(card).to_contain_text("Подключено")  # AC3; that the token is sealed: tests/web/test_consent.py
    expect(card).to_contain_text("Вера Демидова")  # AC4
    avatar = card.locator("img")
    expect(avatar).to_be_visible()
    assert avatar.evaluate("picture => picture.naturalWidth") > 0


def test_a_refusal_is_no_connection(page: Page, vezde: Running):
    begin(page, vezde, "us-ap-01-no@example.org", "Start")
    connect_by_consent(page, "VK", "Отказать")
    expect(page.get_by_text("вы не дали доступ")).to_be_visible()
    expect(platform_card(page, "VK")).to_contain_text("Ни одного аккаунта пока нет")


def test_rights_that_vk_withholds_are_told(page: Page, vezde: Running):
    vezde.control("options", vk_scopes="video")
    begin(page, vezde, "us-ap-01-scopes@example.org", "Start")
    connect_by_consent(page, "VK")
    expect(page.get_by_text("VK не дал нужных прав: стена")).to_be_visible()
    expect(platform_card(page, "VK")).not_to_contain_text("Подключено")


def test_an_own_token_posts_to_a_community(page: Page, vezde: Running, vertical_file):
    """VK gives no answer at first: the window waits for it, and fills in."""
    vezde.control("trouble", rules=[{"match": "groups.get", "do": "hang:2", "nth": 1}])
    begin(page, vezde, "us-ap-01-own@example.org", "Start")
    open_integrations(page)
    page.get_by_role("button", name="Токен VK").click()
    fill_and_connect(page, Токен_VK="vk1.a.vezde-demo")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Спрашиваем VK")).to_be_visible()
    expect(dialog.get_by_role("link", name="Позже")).to_be_focused()
    expect(dialog.get_by_label("Моя страница")).to_be_focused(timeout=20_000)
    dialog.get_by_role("button", name="Подключить").click()
    expect(dialog.get_by_text("Отметьте, куда публиковать")).to_be_visible()
    dialog.get_by_label("Адрес сообщества").fill("https://vk.com/nobody_has_it")
    dialog.get_by_role("button", name="Подключить").click()
    expect(dialog.get_by_text("VK не нашёл такое сообщество")).to_be_visible(timeout=20_000)
    expect(dialog.get_by_label("Адрес сообщества")).to_be_focused()
    dialog.get_by_label("Адрес сообщества").fill("")
    dialog.get_by_role("checkbox").nth(1).check()
    dialog.get_by_role("button", name="Подключить").click()
    expect(platform_card(page, "VK")).to_contain_text("Подключено")
    card = upload(page, vertical_file)
    publish(page, card)
    expect(row(card, "VK").get_by_role("link", name="Опубликовано")).to_be_visible(timeout=60_000)
    [post] = vezde.posts
    assert re.fullmatch(r"-\d+", post["account"])


def test_free_sees_an_upgrade_prompt(page: Page, vezde: Running):
    begin(page, vezde, "us-ap-01-free@example.org")
    open_integrations(page)
    expect(page.get_by_role("button", name="Подключить VK")).to_have_count(0)  # AC5
    expect(platform_card(page, "VK")).to_contain_text("Доступно на тарифе Start")
    expect(platform_card(page, "VK").get_by_role("link", name="Тарифы")).to_be_visible()
