"""US-AP-06, Schedule Publication: each criterion, through what a creator sees."""

import contextlib
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import Locator, Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, begin, connect_telegram, plan, row, sign_up, upload

URALS, KAMCHATKA = ZoneInfo("Asia/Yekaterinburg"), ZoneInfo("Asia/Kamchatka")


def in_minutes(minutes: float) -> datetime:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).replace(second=0, microsecond=0)


def typed(moment: datetime, zone: ZoneInfo = URALS) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}"


def status(moment: datetime, zone: ZoneInfo = URALS) -> str:
    return f"Запланировано на {moment.astimezone(zone):%d.%m.%Y %H:%M}"


def open_dialog(card: Locator) -> Locator:
    card.get_by_role("button", name="Опубликовать").click()
    return card.page.get_by_role("dialog")


def choose_zone(page: Page, name: str) -> None:
    page.goto("/settings/profile")
    page.get_by_label("Часовой пояс").select_option(name)
    page.get_by_role("button", name="Сохранить").click()
    page.goto("/")


PLANNER = "plan@example.org"


def let_time_pass(vezde: Running, due: datetime) -> None:
    """As if the time until `due` were over: the wait of five minutes and more is the one thing that is left out."""
    with contextlib.closing(sqlite3.connect(vezde.folder / "vezde.db", timeout=30)) as database:
        moment = f"{due:%Y-%m-%d %H:%M:%S.%f}"
        changed = database.execute(
            "UPDATE publications SET due_at = ?, wake_at = ? WHERE status = 'scheduled' "
            "AND user_id = (SELECT id FROM users WHERE email = ?)",
            (moment, moment, PLANNER),
        )
        database.commit()
        assert changed.rowcount == 1


def test_us_ap_06(page: Page, vezde: Running, vertical_file):
    sign_up(page, PLANNER, plan="Pro")  # whose browser is in Yekaterinburg
    connect_telegram(page)
    card = upload(page, vertical_file)

    # AC1, AC2: «Запланировать» and a date in the user's zone, which is named.
    dialog = open_dialog(card)
    when = dialog.get_by_label("Дата и время")
    expect(when).to_have_attribute("type", "datetime-local")
    expect(dialog).to_contain_text("Екатеринбург, Челябинск (UTC+5)")

    # Without a date, and AC3: five minutes ahead at least. What was typed stays.
    title = dialog.get_by_label("Название", exact=True)
    title.fill("Своё название")
    dialog.get_by_role("radio", name="Запланировать").check()
    dialog.get_by_role("button", name="Запланировать").click()
    expect(dialog).to_contain_text("Укажите дату и время")
    when.fill(typed(in_minutes(4)))
    dialog.get_by_role("button", name="Запланировать").click()
    expect(dialog).to_contain_text("Слишком скоро: нужно хотя бы 5 минут. Ближайшее — ")
    expect(title).to_have_value("Своё название")
    # With a date there is no button that publishes at once.
    expect(dialog.get_by_role("button", name="Опубликовать")).to_have_count(0)

    # AC4: the status, in the zone of the profile.
    due = in_minutes(90)
    when.fill(typed(due))
    dialog.get_by_role("button", name="Запланировать").click()
    expect(dialog).to_be_hidden()
    expect(card).to_contain_text(status(due))
    choose_zone(page, KAMCHATKA.key)
    expect(card).to_contain_text(status(due, KAMCHATKA))
    choose_zone(page, URALS.key)
    expect(card).to_contain_text(status(due))

    # AC5: it can be moved, and cancelled, before it fires.
    row(card, "Telegram").get_by_role("button", name="Перенести").click()
    expect(when).to_have_value(typed(due))
    later = in_minutes(60 * 24 * 3)
    when.fill(typed(later))
    dialog.get_by_role("button", name="Перенести").click()
    expect(card).to_contain_text(status(later))
    row(card, "Telegram").get_by_role("button", name="Отменить").click()
    expect(card).not_to_contain_text("Запланировано")

    # AC6: it fires within a minute, never early, and the page shows it without being asked.
    plan(page, card, in_minutes(30).astimezone(URALS))
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "delay:4"}])
    due = datetime.now(UTC) + timedelta(seconds=15)
    let_time_pass(vezde, due)
    page.reload()
    expect(card).to_contain_text("Запланировано на")
    assert vezde.posts == []
    expect(card).to_contain_text("Публикация...", timeout=40_000)
    assert datetime.now(UTC) >= due
    expect(card).to_contain_text("Опубликовано", timeout=PUBLISHING_MS)
    [post] = vezde.posts
    assert due <= datetime.fromisoformat(post["created_at"]) <= due + timedelta(minutes=1)
    link = card.get_by_role("link", name=re.compile("Опубликовано"))
    expect(link).to_have_attribute("href", post["url"])
    # What was cancelled stays so.
    assert len(vezde.posts) == 1


def test_us_ap_06_without_javascript(chromium, vezde: Running, vertical_file, page: Page):
    begin(page, vezde, "plain-plan@example.org", "Pro", ("telegram",))
    upload(page, vertical_file)
    context = chromium.new_context(
        base_url=vezde.url, java_script_enabled=False, storage_state=page.context.storage_state()
    )
    plain = context.new_page()
    plain.goto("/")
    card = plain.get_by_role("article", name=vertical_file.stem)
    card.get_by_role("button", name="Опубликовать").click()
    plain.get_by_label("Название", exact=True).fill("Общее название")
    plain.get_by_label("Описание для Telegram").fill("Только для канала")
    plain.get_by_role("button", name="Запланировать").click()
    expect(plain.get_by_text("Укажите дату и время")).to_be_visible()
    due, later = in_minutes(60), in_minutes(600)
    plain.get_by_label("Дата и время").fill(typed(due))
    # A typed date and the other button publish nothing.
    plain.get_by_role("button", name="Опубликовать").click()
    expect(plain.get_by_text("нажмите «Запланировать»")).to_be_visible()
    expect(plain.get_by_label("Дата и время")).to_have_value(typed(due))
    expect(plain.get_by_label("Описание для Telegram")).to_have_value("Только для канала")
    plain.get_by_role("button", name="Запланировать").click()
    expect(card).to_contain_text(status(due))
    card.get_by_role("heading").get_by_role("link").click()
    plain.get_by_role("button", name="Перенести").click()
    plain.get_by_label("Дата и время").fill(typed(later))
    plain.get_by_role("button", name="Перенести").click()
    expect(plain.get_by_text(status(later)).first).to_be_visible()  # on the publication's own page
    plain.goto("/")
    card.get_by_role("heading").get_by_role("link").click()
    plain.get_by_role("button", name="Отменить").click()
    expect(card).not_to_contain_text("Запланировано")
    context.close()
