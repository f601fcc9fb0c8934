"""Uploads as a creator sees them: refused before they are sent, paused, interrupted, continued, published at once."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, begin, connect_telegram, from_user_menu, row

MEGABYTE = 1 << 20
# Fast enough for a test, slow enough to look at it.
SLOW, FAST = 3 * MEGABYTE, -1


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    return test_clips.write_big(tmp_path_factory.mktemp("clips") / "Большой.mp4", 40 * MEGABYTE)


@pytest.fixture
def creator(page: Page, vezde: Running, request) -> Page:
    begin(page, vezde, f"{request.node.originalname.replace('_', '-')}@example.org", "Pro")
    page.get_by_role("link", name="Клипы").first.click()
    return page


@pytest.fixture
def speed(page: Page) -> Callable[[int], None]:
    """Sets how many bytes a second the browser sends."""
    devtools = page.context.new_cdp_session(page)

    def limit(upload: int) -> None:
        conditions = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": upload}
        devtools.send("Network.emulateNetworkConditions", conditions)

    return limit


def choose(page: Page, *paths: Path) -> None:
    page.get_by_label("Загрузить клип").first.set_input_files(paths)


def tray(page: Page, name: str) -> Locator:
    """The row of a file in the tray."""
    return page.get_by_role("region", name="Загрузки").get_by_role("listitem").filter(has_text=name)


def press(row: Locator, name: str) -> None:
    row.get_by_role("button", name=re.compile(f"^{name}:")).click()


def drop(page: Page, *paths: Path) -> None:
    """As from the desktop: the browser makes of the paths what it makes of dropped files and folders."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})
    expect(page.get_by_text("Отпустите, чтобы загрузить")).to_be_visible()
    # A hand moves until it lets go: what lies under it may be another element by now.
    devtools.send("Input.dispatchDragEvent", {"type": "dragOver", "x": 300, "y": 300, "data": data})
    devtools.send("Input.dispatchDragEvent", {"type": "drop", "x": 300, "y": 300, "data": data})
    expect(page.get_by_text("Отпустите, чтобы загрузить")).to_be_hidden()


def test_a_page_made_before_the_clip_does_not_take_its_card_away(creator: Page, large):
    held = []
    creator.wait_for_load_state()
    creator.route("/", lambda route: held.append((route, route.fetch())))
    creator.get_by_role("link", name="Клипы").first.click()
    creator.wait_for_function("document.body.classList.contains('loading')")
    while not held:
        creator.wait_for_timeout(20)
    creator.get_by_label("Загрузить клип").first.set_input_files(large)
    card = creator.get_by_role("article", name=large.stem)
    expect(card).to_be_visible(timeout=PUBLISHING_MS)
    before = card.element_handle()
    [(route, page)] = held
    route.fulfill(response=page)
    creator.wait_for_function("card => !card.isConnected", arg=before)
    expect(card).to_be_visible()


def test_paused_interrupted_and_continued(creator: Page, speed, large: Path, vertical_file: Path):
    expect(creator.locator("script[src*='tus']")).to_have_count(0)
    speed(SLOW)
    choose(creator, large)
    upload = tray(creator, "Большой.mp4")
    expect(upload).to_contain_text(re.compile(r"\d+ % · [\d,]+ из 42 МБ · [\d,]+ МБ/с · осталось \d+ (с|мин)"))

    # Another tab does not offer to continue what this one sends.
    with creator.context.new_page() as tab, tab.expect_response("**/uploads") as listed:
        tab.goto("/")
        assert [one["name"] for one in listed.value.json()["uploads"]] == ["Большой.mp4"]
        tab.wait_for_timeout(300)
        expect(tab.get_by_role("region", name="Загрузки")).to_be_hidden()

    # A page of the app does not stop it; percents are shown, not spoken.
    from_user_menu(creator, "Тарифы")
    expect(creator.get_by_role("heading", name="Тарифы")).to_be_visible()
    toggle = creator.get_by_role("button", name="Загрузки: 1")
    toggle.click()
    expect(upload).to_be_hidden()
    expect(toggle).to_contain_text(" %")
    toggle.click()
    press(upload, "Пауза")
    expect(upload).to_contain_text("Пауза · ")
    said = creator.locator("#uploads-say")
    expect(said).to_have_text("Загрузка началась: Большой.mp4")
    press(upload, "Продолжить")
    expect(upload).to_contain_text(re.compile(r"\d+ % · "))

    # A reload does: bytes are being sent, so the browser asks.
    asked = []
    creator.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    creator.reload()
    assert asked == ["beforeunload"]
    upload = tray(creator, "Большой.mp4")
    expect(upload).to_contain_text(re.compile(r"Прервано на \d+ %"))

    # Another file does not continue it, the same one does.
    with creator.expect_file_chooser() as chooser:
        press(upload, "Продолжить")
    chooser.value.set_files(vertical_file)
    expect(upload).to_contain_text("Это другой файл. Нужен «Большой.mp4», 42 МБ.")
    speed(FAST)
    with creator.expect_file_chooser() as chooser:
        press(upload, "Продолжить")
    chooser.value.set_files(large)
    expect(upload).to_contain_text("Загружено", timeout=PUBLISHING_MS)
    upload.get_by_role("link", name="К клипу").click()
    expect(creator.get_by_role("article", name="Большой")).to_contain_text("Готов", timeout=PUBLISHING_MS)
    expect(creator.get_by_role("region", name="Загрузки")).to_be_hidden()

    # The same file again is asked about before its bytes go.
    choose(creator, large)
    asked = re.compile(r"Этот файл уже загружен: «Большой» \(\d+\s[а-я]+\). Загрузить ещё раз\?")
    expect(upload).to_contain_text(asked)
    press(upload, "Не надо")
    expect(upload).to_be_hidden()
    expect(creator.get_by_role("article")).to_have_count(1)


def test_forgotten_and_continued_by_choosing_it_again(creator: Page, speed, large: Path, tmp_path: Path):
    other = shutil.copy(large, tmp_path / "Другой.mp4")
    with Path(other).open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(b"x")
    speed(SLOW)
    choose(creator, large, Path(other))
    for name in ("Большой.mp4", "Другой.mp4"):
        expect(tray(creator, name)).to_contain_text(re.compile(r"\d+ % · "))
    creator.once("dialog", lambda dialog: dialog.accept())
    creator.reload()
    press(tray(creator, "Большой.mp4"), "Забыть")
    expect(tray(creator, "Большой.mp4")).to_be_hidden()
    speed(FAST)
    choose(creator, Path(other))
    expect(creator.get_by_role("article", name="Другой")).to_contain_text("Готов", timeout=PUBLISHING_MS)
    creator.reload()
    expect(creator.get_by_role("article", name="Другой")).to_be_visible()
    expect(creator.get_by_role("region", name="Загрузки")).to_be_hidden()


def test_refused_before_anything_is_sent(creator: Page, tmp_path: Path, vertical_file: Path):
    sent = []
    creator.on("request", lambda request: request.method in ("POST", "PATCH") and sent.append(request.url))
    (empty := tmp_path / "Пустой.mp4").touch()
    (notes := tmp_path / "Заметки.txt").write_text("Не забыть снять закат")
    (fake := tmp_path / "Обманка.mp4").write_text("Не видео" * 100)
    from_user_menu(creator, "Тарифы")
    expect(creator.get_by_role("heading", name="Тарифы")).to_be_visible()
    drop(creator, empty, notes, fake)
    for name, why in {
        "Пустой.mp4": "Файл пустой.",
        "Заметки.txt": "Это не видео.",
        "Обманка.mp4": "Внутри файла не видео",
    }.items():
        expect(tray(creator, name)).to_contain_text(why)
        press(tray(creator, name), "Убрать")
    assert sent == []

    # Text is left alone.
    text = {"items": [{"mimeType": "text/plain", "data": "Закат"}], "files": [], "dragOperationsMask": 1}
    devtools = creator.context.new_cdp_session(creator)
    devtools.send("Input.dispatchDragEvent", {"type": "dragEnter", "x": 300, "y": 300, "data": text})
    expect(creator.locator("#drop")).to_be_hidden()
    devtools.send("Input.dispatchDragEvent", {"type": "dragCancel", "x": 300, "y": 300, "data": text})

    # A dropped video goes, on an open dialog too; the page stays. A token of an earlier session is renewed.
    creator.get_by_role("link", name="Клипы").first.click()
    creator.evaluate("document.querySelector('#upload').elements.csrf_token.value = 'stale'")
    choose(creator, vertical_file)
    card = creator.get_by_role("article", name="vertical")
    card.get_by_role("button", name="Изменить").click()
    dropped = Path(shutil.copy(vertical_file, tmp_path / "Брошенный.mp4"))
    with dropped.open("ab") as file:
        file.write(b"\0\0\0\x08free")
    expect(creator.get_by_role("dialog")).to_contain_text("Изменить клип")
    drop(creator, dropped)
    expect(creator.get_by_role("dialog")).to_contain_text("Изменить клип")
    expect(creator.locator("article", has_text="Брошенный")).to_have_count(1, timeout=PUBLISHING_MS)


def test_several_keep_their_order_and_a_changed_file_is_told(creator: Page, speed, tmp_path: Path, large: Path):
    names = ["Первый", "Второй", "Третий"]
    files = [
        test_clips.write_big(tmp_path / f"{name}.mp4", size * MEGABYTE)
        for name, size in zip(names, (9, 2, 1), strict=True)
    ]
    speed(SLOW)
    choose(creator, *files)
    titles = creator.locator(".clip-title")
    expect(titles).to_have_text(names[::-1], timeout=PUBLISHING_MS)  # the newest first
    creator.reload()
    expect(titles).to_have_text(names[::-1])

    changing = Path(shutil.copy(large, tmp_path / "Меняется.mp4"))
    speed(SLOW)
    choose(creator, changing)
    upload = tray(creator, "Меняется.mp4")
    expect(upload).to_contain_text(re.compile(r"\d+ % · "))
    with changing.open("ab") as file:
        file.write(b"more")
    expect(upload).to_contain_text("Файл изменился или больше не читается.", timeout=PUBLISHING_MS)


def test_published_when_it_is_ready(creator: Page, vezde: Running, speed, large: Path, tmp_path: Path):
    connect_telegram(creator)
    creator.get_by_role("link", name="Клипы").first.click()
    speed(SLOW)
    choose(creator, large)
    upload = tray(creator, "Большой.mp4")
    expect(upload).to_contain_text(re.compile(r"\d+ % · "))
    upload.get_by_role("checkbox", name="Опубликовать, когда загрузится").check()
    creator.once("dialog", lambda dialog: dialog.accept())
    creator.reload()

    # The wish outlives the page.
    expect(upload.get_by_role("checkbox", name="Опубликовать, когда загрузится")).to_be_checked()
    speed(FAST)
    choose(creator, large)
    card = creator.get_by_role("article", name="Большой")
    expect(row(card, "Telegram").get_by_role("link", name="Опубликовано")).to_be_visible(timeout=PUBLISHING_MS)
    assert [post["platform"] for post in vezde.posts] == ["telegram"]
