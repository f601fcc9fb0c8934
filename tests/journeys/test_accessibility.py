"""axe-core on every page and dialog that links and buttons lead to, in both themes, on a phone and a desktop.

Of others than the one who has something in every place, axe sees each page in one look; in the other, the pages that
the first does not have. Whether a page is wider than the screen is asked of each in both.
"""

import shutil
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import ROOT, Running
from tests.journeys.steps import PUBLISHING_MS, connect, make_set, plan, publish, row, sign_in, upload, without_scripts

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 860}
LOOKS = {"desktop": ("light", DESKTOP), "phone": ("dark", PHONE)}
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
    return [
        f"{page.url}: {one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found
        if one["impact"] in SERIOUS
    ]


def too_wide(page: Page) -> list[str]:
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{page.url}: {overflow} px wider than the screen"] if overflow > 0 else []


@dataclass
class Walk:
    """Goes to every page that links lead to, and opens every kind of dialog once; axe is kept from those `known`."""

    page: Page
    start: str
    known: frozenset[str] = frozenset()
    seen: set[str] = field(default_factory=set)

    def complaints(self) -> list[str]:
        base = f"{urlsplit(self.page.url).scheme}://{urlsplit(self.page.url).netloc}"
        self.seen.add(self.start)
        waiting, found = [(self.start, self.start)], []
        while waiting:
            kind, address = waiting.pop()
            self.page.goto(address)
            found += too_wide(self.page)
            if kind not in self.known:
                found += complaints(self.page)
            found += self._of_dialogs()
            for link in self.page.eval_on_selector_all(
                "a[href]:not([download])", "links => links.map(link => link.getAttribute('href'))"
            ):
                path = urlsplit(urljoin(self.page.url, link))
                address = path._replace(fragment="", query="").geturl()
                kind = "/".join(part for part in path.path.split("/") if not part.isdigit())
                if address.startswith(base) and kind not in self.seen and not path.path.startswith(NOT_PAGES):
                    self.seen.add(kind)
                    waiting.append((kind, address))
        return found

    def _of_dialogs(self) -> list[str]:
        page, found = self.page, []
        for button in page.locator('[form="open"]').all():
            label = button.get_attribute("aria-label") or button.inner_text().strip()
            dialog = f"«{label}»"
            if dialog in self.seen | self.known or not button.is_visible():
                continue
            self.seen.add(dialog)
            button.click()
            expect(page.get_by_role("dialog")).to_be_visible()
            found += [f"{dialog}: {one}" for one in complaints(page, "#dialog") + too_wide(page)]
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).to_be_hidden()
        return found


@pytest.fixture(scope="module")
def seen_by_the_first() -> dict[str, frozenset[str]]:
    """By look."""
    return {}


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_serious_where_something_is_in_every_place(browse, furnished, seen_by_the_first, look):
    walk = Walk(browse("pro@demo.vezde.ru", *LOOKS[look]), "/")
    assert walk.complaints() == []
    assert {"/settings/integrations", "/settings/rules", "/plan"} <= walk.seen
    seen_by_the_first[look] = frozenset(walk.seen)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(("email", "whole"), [("free@demo.vezde.ru", "phone"), ("admin@demo.vezde.ru", "desktop")])
def test_nothing_serious_for_others(browse, furnished, seen_by_the_first, email, whole, look):
    known = frozenset() if look == whole else seen_by_the_first.get(look, frozenset()) - {"/"}
    assert Walk(browse(email, *LOOKS[look]), "/", known).complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_before_the_door(browse, scheme):
    page = browse(None, scheme, PHONE)
    page.goto("/sign-in")
    assert Walk(page, "/sign-in").complaints() == []


def test_a_page_that_is_not_there(browse):
    page = browse("pro@demo.vezde.ru", "light", DESKTOP)
    page.goto("/nowhere")
    assert complaints(page) + too_wide(page) == []
