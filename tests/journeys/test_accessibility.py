"""axe-core on every page and dialog that links and buttons lead to, in both themes, on a phone and a desktop."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import ROOT, Running
from tests.journeys.steps import PUBLISHING_MS, connect, make_set, plan, publish, row, sign_in, upload, without_scripts

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 860}
SERIOUS = ("serious", "critical")
# They leave the page or change something: nothing to look at.
NOT_PAGES = ("/media/", "/static/", "/fetch/", "/ops/queues", "/api/v1/openapi.json")


@pytest.fixture
def browse(chromium: Browser, vezde: Running):
    """Pages of one person; the content policy is off, or axe could not be brought in."""
    contexts = []

    def open_as(email: str | None, scheme: str, viewport: dict) -> Page:
        context = chromium.new_context(
            base_url=vezde.url,
            locale="ru-RU",
            color_scheme=scheme,
            reduced_motion="reduce",  # colours are measured at once, not half way into a fade
            viewport=viewport,
            bypass_csp=True,
        )
        contexts.append(context)
        page = context.new_page()
        if email:
            sign_in(page, email)
        return page

    yield open_as
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def furnished(running: Running, chromium: Browser, vertical_file: Path) -> None:
    """Something in every place: accounts, a broken file, publications of several kinds."""
    running.control("reset")
    page = chromium.new_context(base_url=running.url, locale="ru-RU").new_page()
    sign_in(page, "pro@demo.vezde.ru")
    with without_scripts(page, running) as person:
        for platform in ("vk", "dzen", "rutube", "telegram"):
            connect(person, platform)
    make_set(page, "Все", ["VK", "Telegram"], "10:00 и 19:00")
    broken = vertical_file.with_name("broken.mp4")
    broken.write_bytes(b"\0\0\0\x18ftypmp42" + b"nothing to see" * 1000)
    page.get_by_role("link", name="Клипы").first.click()
    page.get_by_label("Загрузить клип").first.set_input_files(broken)
    running.control(
        "trouble",
        rules=[
            {"match": "sendVideo", "do": "lose_answer"},
            {"match": r"shortVideo\.create", "do": "error:15"},
        ],
    )
    card = upload(page, vertical_file)
    publish(page, card)
    expect(row(card, "VK")).to_contain_text("Ошибка", timeout=PUBLISHING_MS)
    expect(row(card, "Rutube")).to_contain_text("Опубликовано", timeout=PUBLISHING_MS)
    expect(row(card, "Telegram")).to_contain_text("Проверьте", timeout=PUBLISHING_MS)
    page.goto("/settings/rules/new")
    page.get_by_label("Название правила").fill("С утверждением")
    page.get_by_label("Имя клипа или файла").fill("planned*")
    page.get_by_label("Сначала спросить меня").check()
    page.get_by_role("button", name="Сохранить").click()
    page.get_by_role("link", name="Клипы").first.click()
    planned = shutil.copy(vertical_file, vertical_file.with_name("planned.mp4"))
    plan(page, upload(page, planned), datetime.now() + timedelta(days=2))
    page.context.close()


def complaints(page: Page, part: str = "html") -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=AXE)
    found = page.evaluate("part => axe.run(part, {resultTypes: ['violations']}).then(one => one.violations)", part)
    serious = [
        f"{page.url}: {one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found
        if one["impact"] in SERIOUS
    ]
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return serious + ([f"{page.url}: {overflow} px wider than the screen"] if overflow > 0 else [])


def looked_at(page: Page, start: str) -> list[str]:
    """Goes to every page that links lead to, and opens every kind of dialog once."""
    base = f"{urlsplit(page.url).scheme}://{urlsplit(page.url).netloc}"
    waiting, seen, dialogs, found = [start], {start}, set(), []
    while waiting:
        page.goto(waiting.pop())
        found += complaints(page)
        for button in page.locator('[form="open"]').all():
            label = button.get_attribute("aria-label") or button.inner_text().strip()
            if label in dialogs or not button.is_visible():
                continue
            dialogs.add(label)
            button.click()
            expect(page.get_by_role("dialog")).to_be_visible()
            found += [f"«{label}»: {one}" for one in complaints(page, "#dialog")]
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).to_be_hidden()
        for link in page.eval_on_selector_all(
            "a[href]:not([download])", "links => links.map(link => link.getAttribute('href'))"
        ):
            path = urlsplit(urljoin(page.url, link))
            address = path._replace(fragment="", query="").geturl()
            kind = "/".join(part for part in path.path.split("/") if not part.isdigit())
            if address.startswith(base) and kind not in seen and not path.path.startswith(NOT_PAGES):
                seen.add(kind)
                waiting.append(address)
    return found


@pytest.mark.parametrize(("scheme", "viewport"), [("light", DESKTOP), ("dark", PHONE)], ids=["desktop", "phone"])
@pytest.mark.parametrize("email", ["pro@demo.vezde.ru", "free@demo.vezde.ru", "admin@demo.vezde.ru"])
def test_nothing_serious_behind_the_door(browse, furnished, email, scheme, viewport):
    assert looked_at(browse(email, scheme, viewport), "/") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_before_the_door(browse, scheme):
    page = browse(None, scheme, PHONE)
    page.goto("/sign-in")
    assert looked_at(page, "/sign-in") == []


def test_a_page_that_is_not_there(browse):
    page = browse("pro@demo.vezde.ru", "light", DESKTOP)
    page.goto("/nowhere")
    assert complaints(page) == []
