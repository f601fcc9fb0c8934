"""Ten clips on four accounts for ten days, in a few presses, by mouse and by keys; moved by an hour, and taken back."""

import sqlite3
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import Locator, Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import connect_by_consent, connect_rutube, connect_telegram, sign_up, upload

EMAIL = "bulk@example.org"
MINE = f"(SELECT id FROM users WHERE email = '{EMAIL}')"  # the demo has other users
MOST_TO_PUBLISH, MOST_TO_MOVE = 12, 3
CLIPS, DAYS, ACCOUNTS = 10, 10, 4


class Presses:
    count = 0

    def __call__(self, what: Locator) -> None:
        what.click()
        self.count += 1


def query(vezde: Running, statement: str) -> list[tuple]:
    with sqlite3.connect(vezde.folder / "vezde.db", timeout=30) as connection:
        return connection.execute(statement).fetchall()


def furnish(vezde: Running) -> None:
    """Nine more clips like the one that was uploaded, and a set of all accounts."""
    columns = (
        "user_id, description, file_name, status, storage_key, poster_key, size, sha256, content_type, container, "
    )
    columns += "video_codec, audio_codec, duration_ms, width, height, rotation, probes, version, created_at"
    for number in range(1, CLIPS):
        like = (
            f"SELECT {columns}, 'Клип {number}', 'клип {number}' FROM clips WHERE title = 'Первый' AND user_id = {MINE}"
        )
        query(vezde, f"INSERT INTO clips ({columns}, title, search_text) {like}")
    named = f"SELECT id, 'Везде', created_at FROM users WHERE email = '{EMAIL}'"
    query(vezde, f"INSERT INTO account_sets (user_id, name, created_at) {named}")
    query(
        vezde,
        "INSERT INTO account_set_members (account_set_id, connection_id) "
        "SELECT account_sets.id, platform_connections.id FROM account_sets JOIN platform_connections USING (user_id) "
        f"WHERE user_id = {MINE}",
    )


def due(vezde: Running) -> list[datetime]:
    waiting = f"FROM publications WHERE status = 'scheduled' AND user_id = {MINE}"
    rows = query(vezde, f"SELECT due_at {waiting} ORDER BY due_at")
    return [datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("UTC")) for [at] in rows]


def titles(page: Page) -> list[str]:
    return page.locator("#bulk-rows input[name^=title-]").evaluate_all("inputs => inputs.map(input => input.value)")


def test_ten_clips_for_ten_days_in_twelve_presses(page: Page, vezde: Running, tmp_path):
    sign_up(page, EMAIL, "Pro")
    connect_by_consent(page, "VK")
    connect_by_consent(page, "Дзен")
    connect_rutube(page)
    connect_telegram(page)
    upload(page, test_clips.write(tmp_path / "Первый.mp4", seconds=6))
    furnish(vezde)
    page.reload()
    press = Presses()

    press(page.get_by_role("checkbox", name="Выбрать: Первый"))
    press(page.get_by_role("button", name="Выбрать все на странице"))
    press(page.get_by_role("form", name="Выбранные клипы").get_by_role("button", name="Опубликовать"))
    press(page.get_by_role("button", name="Везде", exact=True))
    press(page.get_by_role("radio", name="Каждый день"))
    confirm = page.get_by_role("button", name=f"Запланировать {CLIPS * ACCOUNTS}")
    expect(confirm).to_be_enabled()

    # By dragging and by keys; what is typed meanwhile stays.
    first, second, *_ = titles(page)
    page.get_by_label("Название, 3-й клип").fill("Своё название")
    rows = page.locator("#bulk-rows > li")
    rows.nth(0).locator("[data-handle]").hover()
    page.mouse.down()
    box = rows.nth(1).bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] * 0.8, steps=5)
    page.mouse.up()
    expect(page.get_by_label("Название, 1-й клип")).to_have_value(second)
    assert titles(page)[:3] == [second, first, "Своё название"]
    down = page.get_by_role("button", name=f"Ниже: {second}")
    down.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Название, 2-й клип")).to_have_value(second)
    expect(down).to_be_focused()

    press(confirm)
    expect(page.get_by_role("heading", name=f"Готово: {CLIPS * ACCOUNTS}")).to_be_visible()
    assert press.count <= MOST_TO_PUBLISH
    planned = due(vezde)
    assert len(planned) == CLIPS * ACCOUNTS
    days = sorted({at.astimezone(ZoneInfo("Asia/Yekaterinburg")) for at in planned})
    assert [f"{at:%H:%M}" for at in days] == ["10:00"] * DAYS
    assert (days[-1] - days[0]) == timedelta(days=DAYS - 1)
    renamed = f"FROM publications WHERE title = 'Своё название' AND user_id = {MINE}"
    assert query(vezde, f"SELECT count(*) {renamed}") == [(ACCOUNTS,)]

    press = Presses()
    press(page.get_by_role("button", name="На час позже"))
    expect(page.get_by_text(f"Перенесено публикаций: {CLIPS * ACCOUNTS}.")).to_be_visible()
    assert press.count <= MOST_TO_MOVE
    assert due(vezde) == [at + timedelta(hours=1) for at in planned]
    page.reload()
    expect(page.get_by_text("11:00").first).to_be_visible()
    # From the list: all that it finds, on whatever page.
    press = Presses()
    page.goto("/publications?state=upcoming")
    press(page.get_by_role("checkbox", name="Выбрать:").first)
    press(page.get_by_role("button", name=f"Выбрать все {CLIPS * ACCOUNTS}"))
    press(page.get_by_role("button", name="На час позже"))
    expect(page.get_by_text("12:00").first).to_be_visible()
    assert press.count <= MOST_TO_MOVE
    assert due(vezde) == [at + timedelta(hours=2) for at in planned]
    page.locator(".toast", has_text="Перенесено").last.get_by_role("button", name="Вернуть").click()
    expect(page.get_by_text(f"Возвращено публикаций: {CLIPS * ACCOUNTS}.")).to_be_visible()
    assert due(vezde) == [at + timedelta(hours=1) for at in planned]
    page.go_back()
    page.get_by_role("button", name="Вернуть как было").click()
    expect(page.get_by_role("heading", name=f"Отменено: {CLIPS * ACCOUNTS}")).to_be_visible()
    assert due(vezde) == []
    page.locator(".toast", has_text="Отменено").get_by_role("button", name="Вернуть").click()
    expect(page.get_by_role("heading", name=f"Готово: {CLIPS * ACCOUNTS}")).to_be_visible()
    assert due(vezde) == [at + timedelta(hours=1) for at in planned]
