"""US-AP-07 AC4: views, likes and shares of a published clip, on its card and on the page «Статистика»."""

import csv
import io
import time

from playwright.sync_api import Page, expect

from tests.journeys.conftest import Running
from tests.journeys.steps import PUBLISHING_MS, begin, connect_by_consent, publish, row, upload

# The first numbers come some seconds after publishing; the page, which waits for them, is not reloaded.
FIRST_NUMBERS_MS = 45_000


def test_numbers_of_a_published_clip(page: Page, vezde: Running, vertical_file):
    begin(page, vezde, "stats@example.org", "Pro")
    page.get_by_role("link", name="Статистика").click()
    expect(page.get_by_role("heading", name="Здесь появятся просмотры, лайки и репосты")).to_be_visible()

    connect_by_consent(page, "VK")
    card = upload(page, vertical_file)
    publish(page, card)
    give_up = time.monotonic() + 60
    while not vezde.posts and time.monotonic() < give_up:
        time.sleep(0.1)
    [post] = vezde.posts
    vezde.control("stats", platform="vk", id=post["id"], views=12_345, likes=678, shares=9)

    published = row(card, "VK")
    expect(published).to_contain_text("Опубликовано", timeout=PUBLISHING_MS)
    expect(published).to_contain_text("12,3\u00a0тыс.", timeout=FIRST_NUMBERS_MS)
    for text in ("Просмотры", "Лайки", "678", "Репосты", "9"):
        expect(published).to_contain_text(text)

    page.get_by_role("link", name="Статистика").click()
    expect(page.get_by_role("img", name="Просмотры по дням")).to_be_visible()
    platform = page.get_by_role("region", name="Таблица по площадкам").get_by_role("row", name="VK")
    expect(platform).to_contain_text("12\u00a0345")
    clip = page.get_by_role("region", name="Таблица по клипам").get_by_role("row", name="vertical")
    expect(clip).to_contain_text("678")
    page.get_by_role("link", name="7\u00a0дней").click()
    expect(page.get_by_role("link", name="7\u00a0дней")).to_have_attribute("aria-current", "page")
    with page.expect_download() as download:
        page.get_by_role("link", name="Скачать CSV").click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text("utf-8-sig")), delimiter=";"))
    assert rows[1][0] == "vertical"
    assert rows[1][5:8] == ["12345", "678", "9"]
