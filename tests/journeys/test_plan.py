"""The plan: adding to a day, dragging by mouse and by finger, keys, two tabs; US-AP-06 on the calendar."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, Locator, Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import connect_telegram, sign_up, upload

URALS = ZoneInfo("Asia/Yekaterinburg")
TARGET = re.compile("plan-target")  # the day or hour over which a clip is held
DESKTOP, PHONE = {"width": 1280, "height": 1300}, {"width": 390, "height": 844}


def next_tuesday() -> date:
    """Two days ahead at least; Wednesday and Thursday stand beside it in every month."""
    day = datetime.now(URALS).date() + timedelta(days=2)
    return day + timedelta(days=(1 - day.weekday()) % 7)


def cell(page: Page, day: date) -> Locator:
    return page.locator(f"#day-{day}")


def item(where: Locator) -> Locator:
    return where.locator("[data-from]")


def centre(one: Locator) -> tuple[float, float]:
    box = one.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, one: Locator, to: Locator, *, escape: bool = False) -> None:
    x, y = centre(one)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 12, y + 12)
    page.mouse.move(*centre(to), steps=6)
    expect(to).to_have_class(TARGET)
    if escape:
        page.keyboard.press("Escape")
    page.mouse.up()


def drag_by_finger(page: Page, one: Locator, to: Locator) -> None:
    """A long press first; before it is over, a finger scrolls."""
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    (x, y), (to_x, to_y) = centre(one), centre(to)
    send("touchStart", (x, y))
    expect(page.locator(".plan-ghost")).to_be_visible()
    for step in range(1, 7):
        send("touchMove", (x + (to_x - x) * step / 6, y + (to_y - y) * step / 6))
    expect(to).to_have_class(TARGET)
    send("touchEnd")


def test_the_plan(page: Page, vezde: Running, chromium: Browser, tmp_path):
    sign_up(page, "planner@example.org", "Pro")
    connect_telegram(page)
    upload(page, test_clips.write(tmp_path / "Закат.mp4", seconds=2))
    page.set_viewport_size(DESKTOP)
    tuesday = next_tuesday()
    wednesday, thursday = tuesday + timedelta(days=1), tuesday + timedelta(days=2)
    page.get_by_role("navigation", name="Главное меню").get_by_role("link", name="План").click()
    expect(page.get_by_role("heading", name="План", level=1)).to_be_visible()
    page.goto(f"/plan?on={tuesday}")

    # US-AP-06 from a day's «+»: a time in the user's zone, five minutes ahead at least, the status with the date.
    cell(page, tuesday).hover()
    cell(page, tuesday).get_by_role("link", name="Добавить").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Поиск по названию").fill("зак")
    dialog.get_by_role("link", name="Закат").click()
    when = dialog.get_by_label("Дата и время")
    expect(when).to_have_value(f"{tuesday}T10:00")
    expect(dialog).to_contain_text("Екатеринбург, Челябинск (UTC+5)")
    when.fill(f"{datetime.now(URALS) + timedelta(minutes=4):%Y-%m-%dT%H:%M}")
    dialog.get_by_role("button", name="Запланировать").click()
    expect(dialog).to_contain_text("Слишком скоро: нужно хотя бы 5 минут.")
    when.fill(f"{tuesday}T10:00")
    dialog.get_by_role("button", name="Запланировать").click()
    expect(dialog).to_be_hidden()
    expect(item(cell(page, tuesday))).to_contain_text(f"Запланировано на {tuesday:%d.%m.%Y} 10:00: Telegram")

    # By mouse, with Esc, and back.
    drag(page, item(cell(page, tuesday)), cell(page, wednesday), escape=True)
    expect(page.locator(".plan-ghost")).to_have_count(0)
    expect(item(cell(page, tuesday))).to_be_visible()
    drag(page, item(cell(page, tuesday)), cell(page, wednesday))
    expect(item(cell(page, wednesday))).to_contain_text("10:00")
    expect(page.get_by_text("Перенесено: ")).to_be_visible()
    page.get_by_role("button", name="Вернуть").click()
    expect(item(cell(page, tuesday))).to_be_visible()

    # By keys alone: the arrows, and the window.
    link = item(cell(page, tuesday)).get_by_role("link", name="Закат").first
    link.focus()
    page.keyboard.press("Shift+ArrowRight")
    moved = item(cell(page, wednesday)).get_by_role("link", name="Закат").first
    expect(moved).to_be_focused()
    expect(page.locator(".htmx-request, .htmx-settling")).to_have_count(0)  # no person presses within these 20 ms
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(when).to_have_value(f"{wednesday}T10:00")
    when.fill(f"{tuesday}T18:30")
    dialog.get_by_role("button", name="Перенести").focus()
    page.keyboard.press("Enter")
    expect(item(cell(page, tuesday))).to_contain_text("18:30")
    expect(dialog).to_be_hidden()

    # Two tabs: the second is told, and shows what is so.
    other = page.context.new_page()
    other.set_viewport_size(DESKTOP)
    other.goto(f"/plan?view=week&on={tuesday}")
    other.route("**/plan/changes**", lambda route: route.abort())
    at_18 = other.locator(f'[data-drop="{tuesday}T18"]')
    expect(item(at_18)).to_be_visible()
    drag(page, item(cell(page, tuesday)), cell(page, wednesday))
    expect(item(cell(page, wednesday))).to_be_visible()
    drag(other, item(at_18), other.locator(f'[data-drop="{thursday}T12"]'))
    expect(other.get_by_text("уже перенесли или отменили")).to_be_visible()
    at_18_on_wednesday = other.locator(f'[data-drop="{wednesday}T18"]')
    expect(item(at_18_on_wednesday)).to_be_visible()
    # To another hour: the minutes stay.
    drag(other, item(at_18_on_wednesday), other.locator(f'[data-drop="{thursday}T12"]'))
    expect(item(other.locator(f'[data-drop="{thursday}T12"]'))).to_contain_text("12:30")
    other.close()

    # A press opens the clip beside the calendar; a cancel there is seen at once, and so is its undo.
    expect(item(cell(page, thursday))).to_be_visible(timeout=60_000)  # the poll has brought it
    item(cell(page, thursday)).get_by_role("link", name="Закат").first.click()
    panel = page.get_by_role("complementary", name="Клип")
    expect(panel).to_contain_text(f"Запланировано на {thursday:%d.%m.%Y} 12:30")
    panel.get_by_role("button", name="Отменить").click()
    expect(item(cell(page, thursday))).to_have_count(0)
    page.locator(".toast", has_text="Публикация отменена.").get_by_role("button", name="Вернуть").click()
    expect(item(cell(page, thursday))).to_be_visible()

    # On a phone: small days, the chosen one's list, a finger.
    phone = chromium.new_context(
        base_url=vezde.url,
        locale="ru-RU",
        viewport=PHONE,
        has_touch=True,
        is_mobile=True,
        storage_state=page.context.storage_state(),
    ).new_page()
    phone.goto(f"/plan?on={thursday}")
    chosen = phone.locator(".plan-chosen")
    expect(chosen.get_by_role("heading", name=re.compile(f"четверг, {thursday.day} "))).to_be_visible()
    phone.evaluate("window.scrollBy(0, 200)")  # above the menu
    drag_by_finger(phone, item(chosen), cell(phone, tuesday))
    expect(item(chosen)).to_have_count(0)
    cell(phone, tuesday).get_by_role("link", name=re.compile("вторник")).tap()
    expect(item(chosen)).to_contain_text("12:30")
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    phone.context.close()
