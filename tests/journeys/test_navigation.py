"""Links within the app change the page in place: Back, Forward, focus and scrolling are as of whole pages."""

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import begin, from_user_menu, sign_in, sign_out

MARK = "window.marked = true"
IS_MARKED = "window.marked === true"


@pytest.fixture
def marked(page: Page, vezde: Running) -> Page:
    """A page that would show if it were loaded anew."""
    sign_in(page, "pro@demo.vezde.ru")
    page.wait_for_load_state()  # until its scripts are there, links are plain links
    page.evaluate(MARK)
    return page


def menu(page: Page, name: str):
    return page.get_by_role("navigation", name="Главное меню").get_by_role("link", name=name)


def test_there_and_back(marked: Page):
    page = marked
    menu(page, "Статистика").click()
    expect(page.get_by_role("heading", name="Статистика", level=1)).to_be_visible()
    expect(page).to_have_url("/stats/")
    expect(page).to_have_title("Статистика · Везде")
    expect(menu(page, "Статистика")).to_have_attribute("aria-current", "page")
    expect(page.locator("#main")).to_be_focused()
    from_user_menu(page, "Тарифы")
    expect(page.get_by_role("heading", name="Тарифы", level=1)).to_be_visible()
    expect(page.locator("#user-menu")).to_be_hidden()

    page.set_viewport_size({"width": 390, "height": 500})
    page.evaluate("window.scrollTo(0, 300)")
    menu(page, "План").click()
    expect(page.get_by_role("heading", name="План", level=1)).to_be_visible()
    assert page.evaluate("window.scrollY") == 0
    page.go_back()
    expect(page.get_by_role("heading", name="Тарифы", level=1)).to_be_visible()
    page.wait_for_function("window.scrollY === 300")
    page.go_back()
    expect(page.get_by_role("heading", name="Статистика", level=1)).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="Тарифы", level=1)).to_be_visible()
    assert page.evaluate(IS_MARKED)


def test_a_new_tab_is_a_page_of_its_own(marked: Page):
    with marked.context.expect_page() as opened:
        menu(marked, "Статистика").click(modifiers=["Control"])
    expect(opened.value.get_by_role("heading", name="Статистика", level=1)).to_be_visible()
    expect(marked).to_have_url("/")


def test_the_skip_link_stays_on_the_page(marked: Page):
    marked.keyboard.press("Tab")
    expect(marked.get_by_role("link", name="К содержанию")).to_be_focused()
    marked.keyboard.press("Enter")
    expect(marked).to_have_url("/#main")
    marked.go_back()
    assert marked.evaluate(IS_MARKED)


def test_another_user_gets_whole_pages(marked: Page):
    menu(marked, "Статистика").click()  # it has no poll, which would find it out first
    expect(marked.get_by_role("heading", name="Статистика", level=1)).to_be_visible()
    other = marked.context.new_page()
    other.goto("/")
    sign_out(other)
    sign_in(other, "free@demo.vezde.ru")
    menu(marked, "План").click()
    expect(marked.get_by_role("heading", name="План", level=1)).to_be_visible()
    assert not marked.evaluate(IS_MARKED)
    menu(marked, "Статистика").click()
    expect(marked.get_by_role("heading", name="Статистика", level=1)).to_be_visible()
    sign_out(other)
    menu(marked, "План").click()
    expect(marked.get_by_label("Почта")).to_be_visible()


def test_a_page_that_is_not_there(marked: Page):
    marked.evaluate("document.querySelector('#menu a').href = '/nowhere'")
    menu(marked, "Клипы").click()
    expect(marked.get_by_text("Такой страницы нет")).to_be_visible()


def test_the_users_menu_by_keyboard(page: Page, vezde: Running):
    begin(page, vezde, "menu@example.org")
    button = page.get_by_role("button", name="Профиль и настройки")
    button.focus()
    page.keyboard.press("Enter")
    entries = page.locator("#user-menu")
    expect(entries).to_be_visible()
    page.keyboard.press("Escape")
    expect(entries).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(entries.get_by_role("link", name="Безопасность")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Настройки")).to_be_visible()
    sign_out(page)
