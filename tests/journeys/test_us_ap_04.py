"""US-AP-04: Connect Telegram Channel."""

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import DEMO_BOT
from tests.journeys.conftest import Running
from tests.journeys.steps import (
    begin,
    connect_by_form,
    connect_telegram,
    fill_and_connect,
    open_integrations,
    platform_card,
)


@pytest.mark.parametrize("plan", ["Pro", "Business"])
def test_telegram_is_connected_by_bot_and_channel(page: Page, vezde: Running, plan):
    begin(page, vezde, f"us-ap-04-{plan.lower()}@example.org", plan)
    open_integrations(page)
    expect(page.get_by_role("button", name="Подключить Telegram")).to_be_visible()  # AC1
    connect_telegram(page)  # AC2
    calls = (one["path"] for one in vezde.control("requests")["requests"] if one["path"].startswith("/telegram/bot"))
    names = (path.rpartition("/")[2] for path in calls)
    # In this order; the numbers of other users' posts are asked for at the same time.
    assert all(name in names for name in ("getMe", "getChat", "getChatMember"))  # AC3
    card = platform_card(page, "Telegram")
    expect(card).to_contain_text("Везде — демо")  # AC5; AC4: tests/platforms/telegram/test_adapter.py
    expect(card).to_contain_text("Подключено")
    assert DEMO_BOT not in page.content()


def test_a_bot_without_rights_is_told_what_to_do(page: Page, vezde: Running):
    begin(page, vezde, "us-ap-04-rights@example.org", "Pro")
    connect_by_form(page, "Telegram", Токен_бота=DEMO_BOT, Канал="@vezde_readonly")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Добавьте бота @vezde_demo_bot администратором канала")).to_be_visible()
    expect(dialog.get_by_label("Канал")).to_have_value("@vezde_readonly")
    # The token waits on the server: only the channel is typed again.
    expect(dialog.get_by_text("Токен сохранён")).to_be_visible()
    expect(dialog.get_by_label("Токен бота")).to_be_hidden()
    expect(dialog.get_by_label("Канал")).to_be_focused()
    assert DEMO_BOT not in page.content()
    with page.expect_popup() as opened:
        dialog.get_by_role("link", name="Добавить @vezde_demo_bot").click()
    telegram = opened.value
    telegram.get_by_label("Только читать").check()
    telegram.get_by_role("button", name="Сделать администратором").click()
    expect(telegram.get_by_text("бот уже публикует здесь")).to_have_count(2)
    telegram.close()
    fill_and_connect(page, Канал="@vezde_readonly")
    card = platform_card(page, "Telegram")
    expect(card).to_contain_text("Подключено")
    expect(card.get_by_role("button", name="Добавить аккаунт: Telegram")).to_be_visible()
