"""The publish window: own texts in few presses, by keyboard alone, and nothing lost."""

import contextlib
import re
import sqlite3
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import clips
from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, begin, close_progress, row, upload

PLATFORMS = ("VK", "Rutube", "Дзен", "Telegram")
URALS = ZoneInfo("Asia/Yekaterinburg")  # the browser's
DAYS = ("пн", "вт", "ср", "чт", "пт", "сб", "вс")
MONTHS = (
    *("января", "февраля", "марта", "апреля", "мая", "июня"),
    *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
)
PRESSES = "addEventListener('pointerdown', () => (window.presses = (window.presses ?? 0) + 1), true)"


@pytest.fixture(scope="module")
def ten_seconds(tmp_path_factory):
    return clips.write(tmp_path_factory.mktemp("clips") / "Рецепт за минуту.mp4", seconds=10)


def open_window(card: Locator) -> Locator:
    card.get_by_role("button", name="Опубликовать").click()
    return card.page.get_by_role("dialog")


def needs_no_scrolling(page: Page) -> bool:
    scrolled, hidden = page.locator("#window").evaluate("one => [one.scrollTop, one.scrollHeight - one.clientHeight]")
    return scrolled == 0 and hidden <= 0


def date(moment: datetime) -> str:
    return f"{DAYS[moment.weekday()]}, {moment.day} {MONTHS[moment.month - 1]}"


def primary(dialog: Locator) -> Locator:
    """The one button that publishes or schedules."""
    return dialog.get_by_role("button", name=re.compile("^(Опубликовать|Запланировать)"))


def test_own_texts_to_four_accounts_in_nine_presses(page: Page, vezde: Running, ten_seconds):
    page.set_viewport_size({"width": 1280, "height": 860})
    begin(page, vezde, "four@example.org", "Pro", ("vk", "dzen", "rutube", "telegram"))
    card = upload(page, ten_seconds)
    vezde.control("trouble", rules=[{"match": r"shortVideo\.create", "do": "delay:3"}])
    page.evaluate(PRESSES)
    dialog = open_window(card)
    for name in PLATFORMS:
        dialog.get_by_role("tab", name=name).click()
        page.keyboard.press("Control+A")
        page.keyboard.type(f"Для {name}")
        expect(dialog.get_by_role("tab", name=f"{name} (свой текст)")).to_be_visible()
        expect(dialog.locator("#phone")).to_contain_text(f"Для {name}")
        if name == "VK":
            text, said = dialog.locator(":focus"), dialog.locator("[data-open] [data-marks=description]")
            text.fill("Снял @vezde_demo")
            expect(said).to_have_text(re.compile("получат уведомление: @vezde_demo"))
            text.fill("Для VK")
            expect(said).to_be_hidden()
    assert needs_no_scrolling(page)
    dialog.get_by_role("radio", name="Запланировать").press("Space")
    expect(dialog.get_by_role("grid")).to_be_visible()
    assert needs_no_scrolling(page)
    dialog.get_by_role("radio", name="Сейчас").press("Space")
    expect(primary(dialog)).to_have_count(1)
    dialog.get_by_role("button", name="Опубликовать в 4").click()

    # The ticks: VK is slow, the others are there before it.
    confirmed = dialog.get_by_role("listitem").filter(has_text="Опубликовано")
    expect(dialog.get_by_role("listitem")).to_have_count(4)
    expect(confirmed.filter(has_text="Telegram")).to_be_visible(timeout=PUBLISHING_MS)
    expect(confirmed).to_have_count(4, timeout=PUBLISHING_MS)
    expect(dialog.get_by_text("Опубликовано: 4 из 4")).to_be_visible()
    links = {link.get_attribute("href") for link in dialog.get_by_role("link", name="Опубликовано").all()}
    close_progress(page)
    assert page.evaluate("window.presses") <= 9
    posts = {post["platform"]: post for post in vezde.posts}
    assert links == {post["url"] for post in posts.values()}
    with contextlib.closing(sqlite3.connect(vezde.folder / "vezde.db", timeout=30)) as database:
        texts = dict(
            database.execute(
                "SELECT platform, description FROM publications JOIN users ON users.id = user_id WHERE email = ?",
                ("four@example.org",),
            )
        )
    assert texts == {"vk": "Для VK", "rutube": "Для Rutube", "dzen": "Для Дзен", "telegram": "Для Telegram"}


def test_by_keyboard_alone(page: Page, vezde: Running, vertical_file):
    begin(page, vezde, "keys@example.org", "Pro", ("telegram",))
    card = upload(page, vertical_file)
    card.get_by_role("button", name="Опубликовать").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    keys = page.keyboard

    # Enter in a field never publishes; in the text it is a line.
    title, text = dialog.get_by_label("Название", exact=True), dialog.get_by_label("Описание", exact=True)
    go_to(title)
    keys.type("!")
    keys.press("Enter")
    go_to(text)
    keys.type("Одна")
    keys.press("Enter")
    keys.type("Две")
    expect(text).to_have_value("Одна\nДве")
    go_to(dialog.get_by_role("checkbox", name="Telegram"), backwards=True)
    keys.press("Enter")
    expect(primary(dialog)).to_have_text("Опубликовать в Telegram")

    # Tabs by arrows; what is typed there is the account's own, until it is given back.
    go_to(dialog.get_by_role("tab", name="Общее"))
    keys.press("ArrowRight")
    own = dialog.get_by_label("Описание для Telegram")
    go_to(own)
    keys.press("End")
    keys.type(" и три")
    expect(dialog.get_by_text("Свой текст", exact=True)).to_be_visible()
    go_to(dialog.get_by_role("button", name="Вернуть общий"), backwards=True)
    keys.press("Enter")
    expect(own).to_have_value("Одна\nДве")

    # The presets, and a day and a time of the calendar.
    now = datetime.now(URALS)
    tomorrow = now + timedelta(days=1)
    go_to(dialog.get_by_role("button", name="Завтра 10:00"))
    keys.press("Enter")
    expect(primary(dialog)).to_have_text(re.compile(f"^Запланировать на {date(tomorrow)}.*, 10:00$"))
    expect(dialog.get_by_role("radio", name="Запланировать")).to_be_checked()
    go_to(dialog.get_by_role("gridcell", selected=True).get_by_role("button"))
    for key in ("ArrowRight", "ArrowDown", "PageDown", "PageUp", "ArrowLeft"):
        keys.press(key)
    keys.press("Enter")
    chosen = tomorrow + timedelta(days=7)
    if tomorrow.month == (tomorrow + timedelta(days=8)).month:  # else PageDown and PageUp may meet a shorter month
        expect(primary(dialog)).to_have_text(re.compile(f"^Запланировать на {date(chosen)}.*, 10:00$"))
    time = dialog.get_by_label("Время", exact=True)
    go_to(time)
    keys.type("2130")
    keys.press("Enter")
    keys.press("ArrowUp")
    expect(time).to_have_value("21:35")
    expect(primary(dialog)).to_have_text(re.compile(", 21:35$"))
    expect(dialog.get_by_label("Дата и время")).to_have_value(re.compile("T21:35$"))
    assert vezde.posts == []

    go_to(primary(dialog))
    keys.press("Enter")
    expect(dialog).to_be_hidden()
    expect(card).to_contain_text(re.compile(r"Запланировано на \d\d\.\d\d\.\d{4} 21:35"))


def go_to(what: Locator, *, backwards: bool = False) -> None:
    """By Tab, as one who has no mouse."""
    page = what.page
    for _ in range(60):
        if what.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
    raise AssertionError(f"Tab does not lead to {what}")


def test_nothing_is_lost_and_sets_choose(page: Page, vezde: Running, vertical_file):
    begin(page, vezde, "sets@example.org", "Pro", ("rutube", "telegram"))
    card = upload(page, vertical_file)
    dialog = open_window(card)
    boxes = {name: dialog.get_by_role("checkbox", name=name) for name in ("Rutube", "Telegram")}

    # «Ничего», «Все», and a set of one.
    dialog.get_by_role("button", name="Ничего").click()
    expect(boxes["Telegram"]).not_to_be_checked()
    expect(primary(dialog)).to_have_text("Опубликовать")
    dialog.get_by_role("button", name="Все").click()
    expect(primary(dialog)).to_have_text("Опубликовать в 2")
    dialog.get_by_label("Описание", exact=True).fill("Общее описание")
    boxes["Rutube"].uncheck()
    dialog.get_by_text("Сохранить как набор").click()
    dialog.get_by_label("Название набора").fill("Мой канал")
    page.keyboard.press("Enter")
    saved = dialog.get_by_role("button", name="Мой канал", exact=True)
    expect(saved).to_be_visible()
    dialog.get_by_role("button", name="Все").click()
    saved.click()
    expect(boxes["Rutube"]).not_to_be_checked()
    expect(dialog.get_by_label("Описание", exact=True)).to_have_value("Общее описание")

    for width in (320, 390, 700, 1000, 1920, 1280):
        page.set_viewport_size({"width": width, "height": 860})
        # A busy browser lays the page out anew only with its next frame.
        wider = page.locator("#window").evaluate(
            "one => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame("
            "() => done(one.scrollWidth - one.clientWidth))))"
        )
        assert wider <= 0, f"at {width} px"

    # A refusal opens the tab at fault, and keeps what was typed, ticked and chosen.
    dialog.get_by_role("button", name="Все").click()
    dialog.get_by_role("tab", name="Telegram").click()
    dialog.get_by_label("Описание для Telegram").fill("я" * 1025)
    dialog.get_by_role("tab", name="Общее").click()
    later = datetime.now(URALS) + timedelta(days=40)
    dialog.get_by_label("Дата и время").fill(f"{later:%Y-%m-%d}T18:00")
    dialog.get_by_role("button", name=f"Запланировать на {date(later)}").click()
    own = dialog.get_by_role("tabpanel", name="Telegram")
    expect(own).to_be_visible()
    expect(own).to_contain_text("Текст занимает")
    expect(dialog.get_by_label("Описание для Telegram")).to_be_focused()
    expect(dialog.get_by_label("Описание для Telegram")).to_have_value("я" * 1025)
    expect(boxes["Rutube"]).to_be_checked()
    expect(dialog.get_by_label("Дата и время")).to_have_value(f"{later:%Y-%m-%d}T18:00")
    expect(dialog.get_by_role("gridcell", selected=True)).to_have_text(str(later.day))
    dialog.get_by_label("Описание для Telegram").fill("Короче")
    expect(own).not_to_contain_text("Текст занимает")
    own.get_by_role("button", name="Вернуть общий").click()
    boxes["Rutube"].uncheck()
    primary(dialog).click()
    expect(dialog).to_be_hidden()
    expect(row(card, "Telegram")).to_contain_text(f"Запланировано на {later:%d.%m.%Y} 18:00")
    assert vezde.posts == []

    # The next time it begins with the last choice; a set can be deleted.
    row(card, "Telegram").get_by_role("button", name="Отменить").click()
    expect(card).not_to_contain_text("Запланировано")
    dialog = open_window(card)
    expect(boxes["Telegram"]).to_be_checked()
    expect(boxes["Rutube"]).not_to_be_checked()
    dialog.get_by_role("button", name="Удалить набор «Мой канал»").click()
    expect(saved).to_have_count(0)
