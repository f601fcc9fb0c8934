"""A webhook from its secret to a delivery, in a real browser with real workers."""

from playwright.sync_api import Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import sign_up


def test_a_webhook_is_added_tried_and_rotated(page: Page, vezde: Running):
    sign_up(page, "hooks@example.org")
    page.goto("/settings/api")
    page.get_by_role("link", name="Вебхуки").click()
    page.get_by_role("button", name="Новый вебхук").click()
    page.get_by_label("Адрес").fill("http://example.org/")
    expect(page.get_by_label("Клип готов")).to_be_hidden()
    page.get_by_label("Только отмеченные").check()
    page.get_by_label("Клип готов").check()
    page.get_by_role("button", name="Добавить").click()
    expect(page.get_by_text("Адрес должен начинаться с https://")).to_be_visible()
    expect(page.get_by_label("Клип готов")).to_be_checked()
    page.get_by_label("Адрес").fill(f"{vezde.sandbox_url}/nowhere")  # which LOCAL_HOSTS names
    page.get_by_label("Название").fill("Ферма")
    page.get_by_role("button", name="Добавить").click()
    secret = page.get_by_label("Секрет", exact=True)
    expect(secret).to_be_focused()
    first = secret.input_value()
    assert first.startswith("whsec_")
    page.get_by_role("link", name="Секрет сохранён").click()
    expect(secret).to_have_count(0)
    expect(page.get_by_role("heading", name="Ферма")).to_be_visible()

    page.get_by_role("link", name="Доставки и проверка").click()
    page.get_by_role("button", name="Проверить").click()
    expect(page.get_by_text("Проверка отправляется.")).to_be_visible()
    expect(page.get_by_text("Не доставлено")).to_be_visible()  # by the page's own poll
    expect(page.get_by_text("Ответ 404")).to_be_visible()
    page.locator("#deliveries").get_by_role("button", name="Отправить ещё раз").click()
    expect(page.get_by_text("2 попытки")).to_be_visible()

    page.get_by_role("link", name="Все вебхуки").click()
    page.get_by_role("button", name="Сменить секрет").click()
    page.locator("#dialog").get_by_role("button", name="Сменить секрет").click()
    expect(secret).to_be_focused()
    assert secret.input_value() != first
