"""What was done by mistake is taken back from the toast, with a mouse, and by a plain form where there is no script."""

import re
import sqlite3
import time
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Browser, Locator, Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import begin, open_integrations, plan, row, sign_in, upload

EMAIL = "undo@example.org"


def rows(vezde: Running, query: str) -> list[tuple]:
    with sqlite3.connect(vezde.folder / "vezde.db", timeout=30) as connection:
        return connection.execute(query).fetchall()


def take_back(page: Page, text: str) -> None:
    toast = page.locator(".toast", has_text=text)
    toast.get_by_role("button", name="Вернуть").click()
    expect(toast).to_have_count(0)


def delete(page: Page, card: Locator) -> None:
    card.get_by_role("button", name="Удалить").click()
    page.get_by_role("dialog").get_by_role("button", name="Удалить").click()
    expect(card).to_have_count(0)
    expect(page.get_by_role("dialog")).to_be_hidden()


def disconnect(page: Page) -> None:
    open_integrations(page)
    page.get_by_role("button", name="Отключить").click()
    page.get_by_role("dialog").get_by_role("button", name="Отключить").click()
    expect(page.get_by_role("button", name="Отключить")).to_have_count(0)


def test_taken_back_from_the_toast(page: Page, vezde: Running, chromium: Browser, tmp_path):
    begin(page, vezde, EMAIL, "Pro", ("telegram",))
    card = upload(page, test_clips.write(tmp_path / "Закат.mp4", seconds=2))
    plan(page, card, datetime.now(UTC) + timedelta(days=2))
    expect(card).to_contain_text("Запланировано на")

    row(card, "Telegram").get_by_role("button", name="Отменить").click()
    expect(card).not_to_contain_text("Запланировано на")
    take_back(page, "Публикация отменена.")
    expect(card).to_contain_text("Запланировано на")

    delete(page, card)
    take_back(page, "Клип удалён.")
    expect(page.get_by_text("Клип возвращён.")).to_be_visible()
    expect(card).to_contain_text("Запланировано на")

    disconnect(page)
    take_back(page, "Отключено:")
    expect(page.get_by_role("button", name="Отключить")).to_have_count(1)
    page.get_by_role("link", name="Клипы").first.click()
    expect(card).to_contain_text("Запланировано на")

    # Without a script: a button of the page that the deletion leads to.
    plain = chromium.new_context(base_url=vezde.url, java_script_enabled=False, locale="ru-RU").new_page()
    sign_in(plain, EMAIL, "parol-parol")
    plain.get_by_role("article", name="Закат").get_by_role("button", name="Удалить").click()
    plain.get_by_role("button", name="Удалить").click()
    expect(plain.get_by_role("article", name="Закат")).to_have_count(0)
    expect(card).to_have_count(0)  # the other tab
    plain.get_by_role("button", name="Вернуть").click()
    expect(plain.get_by_text("Клип возвращён.")).to_be_visible()
    expect(plain.get_by_role("article", name="Закат")).to_have_count(1)

    # Nobody takes it back: soon the token is gone, and so are the clip and its files.
    page.reload()
    delete(page, card)
    disconnect(page)
    began = time.monotonic()
    mine = f"JOIN users ON users.id = user_id WHERE email = '{EMAIL}'"
    while rows(vezde, f"SELECT 1 FROM platform_connections {mine}") or rows(vezde, f"SELECT 1 FROM clips {mine}"):
        assert time.monotonic() - began < 20
        page.wait_for_timeout(500)
    expect(page.get_by_role("button", name="Вернуть")).to_have_count(0)
    assert not re.search("Закат", page.goto("/").text())
