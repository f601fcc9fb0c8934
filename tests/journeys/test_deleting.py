"""A clip whose publication's answer was lost: the user waits, then deletes it by the same button."""

from playwright.sync_api import Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, begin, connect_by_consent, open_integrations, publish, row, upload


def test_deleting_what_nobody_knows_about(page: Page, vezde: Running, tmp_path):
    clip = test_clips.write(tmp_path / "Утро.mp4", seconds=6)
    begin(page, vezde, "deleting@example.org", "Pro", ("telegram",))
    card = upload(page, clip)
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "lose_answer"}])
    publish(page, card)

    expect(row(card, "Telegram")).to_contain_text("проверяем на площадке", timeout=PUBLISHING_MS)
    card.get_by_role("button", name="Удалить").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("прямо сейчас передаётся площадке")
    dialog.get_by_role("button", name="Удалить").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Пока не удалить")

    expect(row(card, "Telegram")).to_contain_text("Проверьте", timeout=PUBLISHING_MS)
    expect(row(card, "Telegram").get_by_role("button", name="Отменить", include_hidden=True)).to_have_count(1)
    dialog.get_by_role("link", name="Закрыть").click()
    card.get_by_role("button", name="Удалить").click()
    expect(dialog).to_contain_text("на площадке он может остаться")
    expect(dialog.get_by_role("link", name="Посмотреть, есть ли он там")).to_be_visible()
    dialog.get_by_role("button", name="Удалить").click()
    expect(card).to_have_count(0)
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("status")).to_contain_text("Клип удалён.")

    page.goto("/publications")
    page.get_by_role("link", name="Утро").first.click()
    expect(page.get_by_label("Состояние")).to_contain_text("клип мог остаться на площадке")


def test_consents_that_were_abandoned(page: Page, vezde: Running):
    begin(page, vezde, "abandoning@example.org", "Business")
    for number in range(8):
        open_integrations(page)
        page.get_by_role("button", name=f"Подключить {('VK', 'Дзен')[number % 2]}").click()
        expect(page.get_by_role("button", name="Разрешить")).to_be_visible()
        page.goto(vezde.url)
    connect_by_consent(page, "VK")
    connect_by_consent(page, "Дзен")
    expect(page.get_by_text("Подключено")).to_have_count(2)
