"""Slots and the queue: a week of them, three clips, another time, a pause and its end."""

import contextlib
import re
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.sync_api import Locator, Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import connect_telegram, make_set, sign_up, upload

URALS = ZoneInfo("Asia/Yekaterinburg")  # the browser's
EMAIL = "slots@example.org"
WAITING = (
    "SELECT due_at, wake_at FROM publications JOIN users ON users.id = user_id"
    " WHERE email = ? AND status = 'scheduled' ORDER BY publications.id"
)


def put_in_queue(card: Locator) -> str:
    """What the button says that is pressed."""
    card.get_by_role("button", name="Опубликовать").click()
    dialog = card.page.get_by_role("dialog")
    dialog.get_by_role("radio", name=re.compile("В очередь")).check()
    button = dialog.get_by_role("button", name=re.compile("^В очередь: "))
    words = button.inner_text()
    button.click()
    expect(dialog).to_be_hidden()
    return words


def waiting(vezde: Running) -> tuple[list[datetime], list[str | None]]:
    """Due times in the user's zone, and when each publication wakes."""
    with contextlib.closing(sqlite3.connect(vezde.folder / "vezde.db", timeout=30)) as database:
        rows = database.execute(WAITING, (EMAIL,)).fetchall()
    due = [datetime.fromisoformat(at).replace(tzinfo=UTC).astimezone(URALS) for at, _ in rows]
    return due, [wake for _, wake in rows]


def test_a_week_of_slots(page: Page, vezde: Running, vertical_file: Path, tmp_path: Path):
    sign_up(page, EMAIL, plan="Pro")
    connect_telegram(page)
    account_set = make_set(page, "Каждый день", ["Telegram"], "10:00 и 19:00")
    expect(account_set.get_by_role("button", name=re.compile("^(10|19):00"))).to_have_count(10)

    said = []
    for name in ("Раз", "Два", "Три"):
        file = shutil.copy(vertical_file, tmp_path / f"{name}.mp4")
        with file.open("ab") as more:
            more.write(name.encode())  # the same file would be asked about
        said.append(put_in_queue(upload(page, file)))
    due, wakes = waiting(vezde)
    assert len(set(due)) == len(set(said)) == 3
    assert due == sorted(due)
    assert all(one.weekday() < 5 and (one.hour, one.minute) in ((10, 0), (19, 0)) for one in due)
    assert None not in wakes
    expect(page.get_by_role("article", name="Раз")).to_contain_text(f"Запланировано на {due[0]:%d.%m.%Y %H:%M}")

    # The first one's slot moves to 11:30, on a phone.
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/settings/sets")
    expect(account_set).to_contain_text("В очереди 3 клипа")
    account_set.get_by_role("listitem").nth(1 + due[0].weekday()).get_by_role(
        "button", name=f"{due[0]:%H:%M} ждут клипы: 1"
    ).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Время").fill("11:30")
    dialog.get_by_role("button", name="Сохранить").click()
    expect(page.get_by_text("Слот перенесён, и с ним 1 клип.")).to_be_visible()
    moved, _ = waiting(vezde)
    assert (f"{moved[0]:%H:%M}", moved[1:]) == ("11:30", due[1:])
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320

    account_set.get_by_role("button", name="Пауза").click()
    expect(account_set).to_contain_text("Пока набор на паузе, ничего из неё не выходит")
    assert waiting(vezde)[1] == [None] * 3
    page.set_viewport_size({"width": 1280, "height": 860})
    page.goto("/")
    expect(page.get_by_role("article", name="Раз")).to_contain_text("на паузе")
    page.goto("/settings/sets")
    account_set.get_by_role("button", name="Возобновить").click()
    expect(account_set.get_by_role("button", name="Пауза")).to_be_visible()
    assert waiting(vezde)[0] == moved
    assert None not in waiting(vezde)[1]
