"""Signing out and in again, and ending another device's session, in a real browser."""

from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import sign_in, sign_out, sign_up

EMAIL, PASSWORD = "devices@example.org", "parol-parol"


def test_out_and_in_again(page: Page, chromium: Browser, vezde: Running):
    sign_up(page, EMAIL)
    sign_out(page)
    expect(page.get_by_role("heading", name="С возвращением")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Почта")).to_be_visible()
    expect(page.get_by_text("Загрузить клип")).to_have_count(0)
    sign_in(page, EMAIL, PASSWORD)

    other = chromium.new_context(base_url=vezde.url, locale="ru-RU", user_agent="Firefox/140.0 (Windows)")
    elsewhere = other.new_page()
    sign_in(elsewhere, EMAIL, PASSWORD)
    page.goto("/settings/security")
    expect(page.get_by_text("это устройство")).to_be_visible()
    page.get_by_role("button", name="Завершить: Firefox, Windows").click()
    expect(page.get_by_text("Сеанс завершён.")).to_be_visible()
    elsewhere.goto("/settings/profile")
    expect(elsewhere.get_by_role("heading", name="С возвращением")).to_be_visible()
    other.close()
