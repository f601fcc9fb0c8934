"""Times are of the zone in the profile; where the device's clock is another, each names its zone."""

from playwright.sync_api import Page, expect

from tests.journeys.steps import from_user_menu, sign_up

ZONE_OF_FIRST = "time => getComputedStyle(time, '::after').content"


def test_the_zone_is_named_where_the_devices_is_another(page: Page):
    sign_up(page, "moments@example.org")  # the sign-up takes the browser's zone: Yekaterinburg
    from_user_menu(page, "Настройки")
    page.get_by_role("link", name="Безопасность").click()
    first = page.locator("time").first
    expect(first).to_contain_text("сегодня в")
    assert first.evaluate(ZONE_OF_FIRST) == "none"
    assert "(UTC+5)" in first.get_attribute("title")

    page.get_by_role("link", name="Профиль").click()
    note = page.get_by_text("Часы этого устройства показывают другое время")
    expect(note).to_be_hidden()
    page.get_by_label("Часовой пояс").select_option("Asia/Kamchatka")
    page.get_by_role("button", name="Сохранить").click()
    expect(note).to_be_visible()
    page.get_by_role("link", name="Безопасность").click()
    expect(first).to_be_visible()
    assert first.evaluate(ZONE_OF_FIRST) == '" UTC+12"'
