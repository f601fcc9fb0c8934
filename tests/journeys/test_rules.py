"""A rule publishes by itself; one with an approval waits for «Выпустить»; the keyboard is enough for both."""

import shutil
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, connect_telegram, row, sign_up, upload


def press(page: Page, name: str) -> None:
    button = page.get_by_role("button", name=name, exact=True)
    button.focus()
    page.keyboard.press("Enter")


def test_a_rule_publishes_and_another_asks_first(page: Page, vezde: Running, vertical_file: Path, tmp_path: Path):
    sign_up(page, "rules@example.org", plan="Pro")
    connect_telegram(page)

    def file(name: str) -> Path:
        copy = shutil.copy(vertical_file, tmp_path / f"{name}.mp4")
        with copy.open("ab") as more:
            more.write(name.encode())  # the same file would be asked about
        return copy

    page.goto("/settings/rules")
    page.get_by_role("link", name="Новое правило").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Название правила").fill("Сразу")
    page.get_by_label("Имя клипа или файла").fill("сразу*")
    page.get_by_label("Название клипа").fill("{title")
    press(page, "Проверить на последних клипах")
    expect(page.locator("#dry-run")).to_contain_text("Фигурные скобки")
    page.get_by_label("Название клипа").fill("Новое: {title}")
    press(page, "Проверить на последних клипах")
    expect(page.locator("#dry-run")).to_contain_text("Готовых клипов пока нет")
    press(page, "Сохранить")
    expect(page.locator("#rules")).to_contain_text("имя «сразу*»")

    page.get_by_role("link", name="Новое правило").click()
    page.get_by_label("Название правила").fill("С утверждением")
    page.get_by_label("Имя клипа или файла").fill("потом*")
    page.get_by_role("radio", name="Через время").check()
    expect(page.get_by_label("Через сколько минут")).to_be_visible()
    page.get_by_role("radio", name="Сразу").check()
    expect(page.get_by_label("Через сколько минут")).to_be_hidden()
    page.get_by_label("Сначала спросить меня").check()
    press(page, "Сохранить")

    second = page.locator(".rule", has_text="С утверждением")
    press(page, "Раньше: С утверждением")
    expect(page.locator(".rule").first).to_contain_text("С утверждением")
    second.get_by_role("button", name="Выключить", exact=True).click()
    expect(second).to_contain_text("Выключено")
    second.get_by_role("button", name="Включить", exact=True).click()
    expect(second.get_by_role("button", name="Выключить", exact=True)).to_be_focused()

    page.goto("/")
    # Not `upload`: the rule may be faster than a look at «Готов».
    page.get_by_label("Загрузить клип").first.set_input_files(file("сразу один"))
    first = page.get_by_role("article", name="сразу один")
    expect(row(first, "Telegram")).to_contain_text("Опубликовано", timeout=PUBLISHING_MS)
    upload(page, file("потом два"))
    expect(page.locator("#bell")).to_contain_text("1", timeout=PUBLISHING_MS)
    page.goto("/settings/rules/approvals")
    held = page.locator(".held-clip", has_text="потом два")
    expect(held).to_contain_text("Выйдет сразу: Telegram")
    press(page, "Выпустить")
    expect(page.get_by_text("1 клип вышел или запланирован.")).to_be_visible()
    page.goto("/settings/rules")
    expect(page.locator(".rule-made").first).to_contain_text("Везде — демо")
    assert page.get_by_text("выпущен вами").count() >= 1
