"""US-AP-03: Connect Дзен Account."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import begin, connect_by_consent, open_integrations, platform_card


@pytest.mark.parametrize("plan", ["Pro", "Business"])
def test_dzen_is_connected_by_consent(page: Page, vezde: Running, plan):
    begin(page, vezde, f"us-ap-03-{plan.lower()}@example.org", plan)
    open_integrations(page)
    button = page.get_by_role("button", name="Подключить Дзен")
    expect(button).to_be_visible()  # AC1
    expect(platform_card(page, "Дзен")).to_contain_text("Публикуется само")  # which way is on

    button.click()
    asked = parse_qs(urlsplit(page.url).query)
    assert page.url.startswith(f"{vezde.sandbox_url}/yandex-oauth/authorize")
    assert {"zen:write", "zen:read"} <= set(asked["scope"][0].split())  # AC2
    page.get_by_role("button", name="Разрешить").click()

    card = platform_card(page, "Дзен")
    expect(card).to_contain_text("Подключено")  # AC3: sealed, tests/web/test_consent.py
    expect(card).to_contain_text("Ирина Волкова")  # AC4
    expect(card.locator("img")).to_be_visible()
    assert card.locator("img").evaluate("picture => picture.naturalWidth") > 0


def test_publishing_rights_that_were_withheld_are_told(page: Page, vezde: Running):
    vezde.control("options", yandex_scopes="login:info login:avatar")
    begin(page, vezde, "us-ap-03-scopes@example.org", "Pro")
    connect_by_consent(page, "Дзен")
    expect(page.get_by_text("Дзен не дал права на публикацию")).to_be_visible()
    expect(platform_card(page, "Дзен")).not_to_contain_text("Подключено")
