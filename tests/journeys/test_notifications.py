"""A failed publication shows at the bell and is notified of by a mail, which the sandbox shows."""

import re

from playwright.sync_api import Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import begin, confirm_email, publish, upload

MAILBOX = "oksana@example.org"


def test_the_bell_and_the_mail(page: Page, vezde: Running, vertical_file):
    begin(page, vezde, MAILBOX, "Pro", ("telegram",))
    confirm_email(page, vezde, MAILBOX)
    card = upload(page, vertical_file)
    expect(page.get_by_role("link", name="Уведомления", exact=True)).to_be_visible()

    vezde.control("revoke", platform="telegram", account="110201543")
    publish(page, card)
    expect(card).to_contain_text("Ошибка", timeout=30_000)
    bell = page.get_by_role("link", name=re.compile(r"Уведомления, 2\s+новых"))
    expect(bell).to_be_visible()
    bell.click()
    expect(page.get_by_role("heading", name="Уведомления")).to_be_visible()
    expect(page.get_by_role("heading", name=f"Не опубликовано: «{vertical_file.stem}»")).to_be_visible()
    expect(page.get_by_role("heading", name="Переподключите Telegram")).to_be_visible()
    expect(page.get_by_role("link", name="Уведомления", exact=True)).to_be_visible()
    page.get_by_role("link", name="Переподключить").click()
    expect(page.get_by_role("heading", name="Настройки")).to_be_visible()
    expect(page.get_by_text("Переподключите")).to_be_visible()

    page.goto(f"{vezde.sandbox_url}/")
    letter = page.locator("#mails details", has_text=f"Не опубликовано: «{vertical_file.stem}»")
    for _ in range(30):
        if letter.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    letter.locator("summary").click()
    expect(letter).to_contain_text("Здравствуйте, Анна!")
    letter.get_by_role("link", name=f"{vezde.url}/notices").click()
    expect(page.get_by_role("heading", name="Уведомления")).to_be_visible()
    subjects = [mail["subject"] for mail in vezde.control("mails")["mails"] if mail["to"] == [MAILBOX]]
    assert subjects[0] == "Подтвердите почту для «Везде»"
    assert sorted(subjects[1:]) == ["Не опубликовано: «vertical»", "Переподключите Telegram"]
