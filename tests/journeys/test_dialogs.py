"""What was typed into a dialog, where the focus is, and what a press meets, whatever happens meanwhile."""

import itertools
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Error, Locator, Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import begin, sign_in, sign_out, upload

PASSWORD = "parol-parol"
TYPED = "Закат над Волгой"


_numbers = itertools.count()


@pytest.fixture
def email() -> str:
    """Each test signs up a user of its own."""
    return f"dialogs{next(_numbers)}@example.org"


@pytest.fixture
def card(page: Page, vezde: Running, vertical_file: Path, email: str) -> Locator:
    begin(page, vezde, email)
    return upload(page, vertical_file)


def edit(card: Locator) -> Locator:
    card.get_by_role("button", name="Изменить").click()
    dialog = card.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def type_title(dialog: Locator) -> Locator:
    title = dialog.get_by_label("Название")
    title.fill(TYPED)
    return title


def elsewhere(page: Page) -> Page:
    """Another tab of the same browser."""
    return page.context.new_page()


def test_typed_text_is_not_lost_by_accident(page: Page, card: Locator):
    dialog = edit(card)
    title = type_title(dialog)
    box, frame = title.bounding_box(), dialog.bounding_box()
    question = dialog.get_by_role("alertdialog")

    # The selection of a text that ends outside.
    page.mouse.move(box["x"] + 100, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(frame["x"] - 50, box["y"] + 10)
    page.mouse.up()
    expect(title).to_have_value(TYPED)
    expect(question).to_be_hidden()

    leave = {
        "Esc": lambda: page.keyboard.press("Escape"),
        "Esc again": lambda: page.keyboard.press("Escape"),
        "Back": page.go_back,
        "beside": lambda: page.mouse.click(frame["x"] - 50, frame["y"] + 50),
        "✕": lambda: dialog.get_by_role("link", name="Закрыть").click(),
    }
    for way, go in leave.items():
        go()
        expect(question, way).to_contain_text("Введённое не сохранится")
        question.get_by_role("button", name="Остаться").click()
        expect(question).to_be_hidden()
        expect(title, way).to_have_value(TYPED)
    page.keyboard.press("Escape")
    question.get_by_role("button", name="Закрыть").click()
    expect(dialog).to_be_hidden()
    expect(card.get_by_role("button", name="Изменить")).to_be_focused()


def test_without_typed_text_it_closes_at_once(page: Page, card: Locator):
    dialog = edit(card)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    dialog = edit(card)
    page.go_back()  # closes the dialog, not the page
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("heading", name="Клипы", exact=True)).to_be_visible()
    assert page.url.rstrip("/").endswith(str(page.url.split("/")[2]))
    edit(card)
    frame = page.get_by_role("dialog").bounding_box()
    page.mouse.click(frame["x"] - 50, frame["y"] + 50)
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_a_clip_that_is_deleted_elsewhere(page: Page, card: Locator, vezde: Running):
    dialog = edit(card)
    title = type_title(dialog)
    other = elsewhere(page)
    other.goto("/")
    other.get_by_role("article").get_by_role("button", name="Удалить").click()
    other.get_by_role("dialog").get_by_role("button", name="Удалить").click()
    expect(other.get_by_role("article")).to_have_count(0)
    other.close()
    dialog.get_by_role("button", name="Сохранить").click()
    # The message is in the dialog: outside a screen reader would not find it, and a phone would not show it.
    message = dialog.get_by_role("alert")
    expect(message).to_be_visible()
    expect(title).to_have_value(TYPED)
    message.get_by_role("button", name="Закрыть сообщение").click()
    expect(message).to_have_count(0)


def test_a_session_that_ends_while_a_dialog_is_open(page: Page, card: Locator, email: str):
    dialog = edit(card)
    title = type_title(dialog)
    other = elsewhere(page)
    other.goto("/")
    sign_out(other)
    dialog.get_by_role("button", name="Сохранить").click()
    message = dialog.get_by_role("alert")
    expect(message).to_contain_text("Войдите в новой вкладке")
    expect(message.get_by_role("link", name="Войти")).to_have_attribute("href", "/sign-in?next=/")
    expect(title).to_have_value(TYPED)
    sign_in(other, email, PASSWORD)
    dialog.get_by_role("button", name="Сохранить").click()
    expect(dialog.get_by_text("Нажмите ещё раз.", exact=False).last).to_be_visible()
    dialog.get_by_role("button", name="Сохранить").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("article", name=TYPED)).to_be_visible()


def test_an_idle_page_goes_to_the_sign_in(page: Page, card: Locator):
    other = elsewhere(page)
    other.goto("/")
    sign_out(other)
    with suppress(Error):  # it may be on its way there: it has looked by itself
        page.evaluate("window.htmx?.trigger('#poll', 'poll')")
    expect(page).to_have_url("/sign-in?next=/")


def rename(page: Page, title: str) -> None:
    other = elsewhere(page)
    other.goto("/")
    dialog = edit(other.get_by_role("article"))
    dialog.get_by_label("Название").fill(title)
    dialog.get_by_role("button", name="Сохранить").click()
    expect(dialog).to_be_hidden()
    other.close()


def test_a_card_that_changes_keeps_the_focus_and_the_press(page: Page, card: Locator):
    button = card.get_by_role("button", name="Изменить")
    button.focus()
    rename(page, "Первое имя")
    page.evaluate("window.htmx.trigger('#poll', 'poll')")
    changed = page.get_by_role("article", name="Первое имя")
    expect(changed).to_be_visible()
    expect(changed.get_by_role("button", name="Изменить")).to_be_focused()

    rename(page, "Второе имя")
    box = changed.get_by_role("button", name="Изменить").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.evaluate("window.htmx.trigger('#poll', 'poll')")
    expect(page.get_by_role("article", name="Второе имя")).to_be_visible()
    page.mouse.up()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_long_dialog_opens_at_its_top(page: Page, card: Locator):
    page.set_viewport_size({"width": 390, "height": 400})
    edit(card)
    page.locator("#window").evaluate("one => one.scrollTo(0, 10000)")
    page.keyboard.press("Escape")
    edit(card)
    assert page.locator("#window").evaluate("one => one.scrollTop") == 0
