"""US-AP-02: Connect Rutube Account."""

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import begin, connect_by_form, connect_rutube, open_integrations, platform_card


@pytest.mark.parametrize("plan", ["Pro", "Business"])
def test_rutube_is_connected_by_its_token(page: Page, vezde: Running, plan):
    begin(page, vezde, f"us-ap-02-{plan.lower()}@example.org", plan)
    open_integrations(page)
    expect(page.get_by_role("button", name="Подключить Rutube")).to_be_visible()  # AC1
    connect_rutube(page)  # AC2
    asked = [one for one in vezde.control("requests")["requests"] if "/rutube/api/video/person/" in one["path"]]
    assert [one["status"] for one in asked] == [200]  # AC3
    expect(platform_card(page, "Rutube")).to_contain_text("Подключено")  # AC5; AC4: tests/journeys/test_secrets.py
    assert "rutube-demo-token" not in page.content()


def test_a_wrong_token_is_told_at_its_field(page: Page, vezde: Running):
    begin(page, vezde, "us-ap-02-wrong@example.org", "Pro")
    connect_by_form(page, "Rutube", Токен="not-the-right-token")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Rutube не принял токен")).to_be_visible()
    expect(dialog.get_by_label("Токен")).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("plan", ["", "Start"])
def test_other_plans_see_an_upgrade_prompt(page: Page, vezde: Running, plan):
    begin(page, vezde, f"us-ap-02-other{plan.lower()}@example.org", plan)
    open_integrations(page)
    for name in ("Rutube", "Дзен", "Telegram", "YouTube", "TikTok"):
        expect(page.get_by_role("button", name=f"Подключить {name}")).to_have_count(0)
        expect(platform_card(page, name)).to_contain_text("Доступно на тарифе Pro")
