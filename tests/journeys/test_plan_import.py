"""A table of what goes out where and when: with its clips in a folder, and by the keyboard alone."""

import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, connect_telegram, from_user_menu, sign_up
from tests.journeys.test_uploads import drop

WHEN = (datetime.now() + timedelta(days=2)).strftime("%d.%m.%Y")


def table(*lines: str) -> str:
    return "\r\n".join(["Файл;Название;Когда;Куда", *lines])


@pytest.fixture
def folder(tmp_path: Path, vertical_file: Path) -> Path:
    """Two clips, one of them in a folder of its own, a table, and what is neither."""
    found = tmp_path / "Декабрь"
    (found / "Ещё" / "Глубже").mkdir(parents=True)
    for number, name in enumerate(("Закат.mp4", "Ещё/Волга.mp4", "Ещё/Глубже/Сырники.mp4")):
        copy = Path(shutil.copy(vertical_file, found / name))
        copy.write_bytes(copy.read_bytes() + b"\0\0\0\x09free" + bytes([number]))
    (found / "Заметки.txt").write_text("Не забыть снять закат")
    (found / ".DS_Store").touch()
    lines = (f"закат.mp4;Вечер;{WHEN} 10:00;Telegram", f"Ещё/Волга.mp4;;{WHEN} 11:00;все", "Сырники.mp4;;завтра;Гараж")
    (found / "План.csv").write_bytes(table(*lines).encode("windows-1251"))
    return found


def test_a_folder_of_clips_with_its_table(page: Page, vezde: Running, folder: Path, tmp_path: Path):
    sign_up(page, "folder@example.org", plan="Pro")
    connect_telegram(page)
    (tmp_path / "Пусто").mkdir()
    drop(page, tmp_path / "Пусто")
    expect(page.get_by_text("В папке «Пусто» нет ни видео, ни таблицы.")).to_be_visible()

    from_user_menu(page, "Тарифы")
    expect(page.get_by_role("heading", name="Тарифы")).to_be_visible()
    drop(page, folder)
    expect(page).to_have_url(re.compile(r"/bulk/import/\d+$"))
    expect(page.get_by_role("heading", name="План.csv")).to_be_visible()
    expect(page.get_by_text("Пропустили файлов: 1.")).to_be_visible()
    expect(page.get_by_text("Папки внутри вложенных папок пропустили")).to_be_visible()
    expect(page.get_by_text("3 строки · Windows-1251")).to_be_visible()
    # Lines whose clip is on its way become ready by themselves.
    publish = page.get_by_role("button", name=re.compile("Запланировать 2 из 3"))
    expect(publish).to_be_visible(timeout=PUBLISHING_MS)
    bad = page.get_by_role("region", name="Что исправить").get_by_role("listitem")
    expect(bad).to_have_count(1)
    expect(bad).to_contain_text("Строка 4")
    with page.expect_download() as download:
        page.get_by_role("link", name="Скачать эти строки").click()
    errors = Path(download.value.path()).read_text("utf-8-sig")
    assert errors.splitlines()[0] == "Ошибка;Файл;Название;Когда;Куда"
    publish.click()
    expect(page.get_by_text("Готово. Запланировано строк: 2, публикаций: 2.")).to_be_visible()
    expect(page.get_by_text("Уже в плане: 2")).to_be_visible()
    page.get_by_role("link", name="К публикациям").click()
    expect(page.get_by_role("main")).to_contain_text("Вечер")
    expect(page.get_by_role("main")).to_contain_text("Волга")

    # The same folder, chosen: its clips are asked about, its table is there.
    page.goto("/bulk/import")
    page.get_by_label("Выбрать папку").set_input_files(folder)
    expect(page.get_by_text("Уже в плане: 2")).to_be_visible()
    tray = page.get_by_role("region", name="Загрузки").get_by_role("listitem")
    expect(tray.filter(has_text="Этот файл уже загружен")).to_have_count(2)


def test_by_the_keyboard(page: Page, vezde: Running, vertical_file: Path, tmp_path: Path):
    sign_up(page, "keyboard@example.org", plan="Pro")
    connect_telegram(page)
    page.get_by_role("link", name="Клипы").first.click()
    page.get_by_label("Загрузить клип").first.set_input_files(vertical_file)
    expect(page.get_by_role("article", name="vertical")).to_contain_text("Готов", timeout=PUBLISHING_MS)

    entry = page.get_by_role("link", name="Импорт таблицей")
    entry.focus()
    page.keyboard.press("Enter")
    file = page.get_by_label("Таблица: CSV")
    (wrong := tmp_path / "Книга.csv").write_bytes(b"PK\x03\x04" + b"\0" * 100)
    file.set_input_files(wrong)
    page.get_by_role("button", name="Проверить").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Это книга Excel")

    (right := tmp_path / "План.csv").write_text(f"Клип,Выход,Где\nvertical,{WHEN} 12:00,все\n")
    page.get_by_label("Таблица: CSV").set_input_files(right)
    page.get_by_role("button", name="Проверить").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Не хватает столбцов: «Когда»")
    expect(page.get_by_role("heading", name="План.csv")).to_be_focused()
    choice = page.get_by_label("Выход")
    choice.focus()
    for _ in range(4):  # to «Когда», past others, each of which is checked
        page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name=re.compile("Запланировать 1 из 1"))).to_be_visible()
    expect(choice).to_be_focused()
    page.get_by_role("button", name=re.compile("Запланировать 1 из 1")).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".import-made")).to_be_focused()
    expect(page.locator(".import-made")).to_contain_text("публикаций: 1.")
