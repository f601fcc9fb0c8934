"""US-AP-08, disconnect a platform: by what a person sees, with publications in every state on the account."""

import re
import sqlite3
import time

import pytest
from playwright.sync_api import Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import begin, publish, upload

CARDS = "/settings/integrations"


@pytest.fixture(scope="module")
def clip_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return [test_clips.write(folder / f"{name}.mp4", seconds=2) for name in ("Вышел", "В пути", "Ждёт")]


def rows(vezde: Running, query: str) -> list[tuple]:
    with sqlite3.connect(vezde.folder / "vezde.db", timeout=30) as connection:
        return connection.execute(query).fetchall()


def test_disconnect(page: Page, vezde: Running, clip_files):
    published, sending, waiting = clip_files
    vezde.control("options", rate_limits=False)  # what it makes wait, and what it does not, is said below
    begin(page, vezde, "us-ap-08@example.org", "Pro", ("telegram",))
    page.goto(CARDS)
    expect(page.get_by_role("button", name="Отключить")).to_have_count(1)  # AC1
    for path in clip_files:
        upload(page, path)
    card = page.get_by_role("article", name=published.stem)
    publish(page, card)
    expect(card).to_contain_text("Опубликовано", timeout=30_000)
    link = card.get_by_role("link", name="Опубликовано").get_attribute("href")

    # One whose last byte is with Telegram, and one that Telegram makes wait.
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "delay:15", "nth": 1, "effect": True}])
    publish(page, page.get_by_role("article", name=sending.stem))
    expect(page.get_by_role("article", name=sending.stem)).to_contain_text("принимает клип", timeout=20_000)
    vezde.control(
        "trouble",
        rules=[{"match": "sendVideo", "do": "status:429", "retry_after": 600}],
    )
    publish(page, page.get_by_role("article", name=waiting.stem))
    expect(page.get_by_role("article", name=waiting.stem)).to_contain_text("не спешить", timeout=20_000)

    page.goto(CARDS)
    page.get_by_role("button", name="Отключить").click()
    dialog = page.get_by_role("dialog", name="Отключить Telegram?")  # AC2
    expect(dialog).to_contain_text(re.compile(r"1\s+незавершённая публикация будет отменена"))
    expect(dialog).to_contain_text(re.compile(r"1\s+публикация уже передана площадке"))
    dialog.get_by_role("link", name="Оставить").click()
    expect(page.get_by_role("button", name="Отключить")).to_have_count(1)

    page.get_by_role("button", name="Отключить").click()
    page.get_by_role("dialog").get_by_role("button", name="Отключить").click()
    expect(page.get_by_role("status")).to_contain_text("Отменено публикаций: 1")
    expect(page.get_by_role("button", name="Отключить")).to_have_count(0)  # AC3
    mine = "JOIN users ON users.id = user_id WHERE email = 'us-ap-08@example.org'"
    assert rows(vezde, f"SELECT deleted_at IS NULL FROM platform_connections {mine}") == [(0,)]
    toast = page.locator(".toast", has_text="Отключено")
    expect(toast.get_by_role("button", name="Вернуть")).to_be_visible()
    disconnected = time.monotonic()
    while rows(vezde, f"SELECT platform FROM platform_connections {mine}"):
        assert time.monotonic() - disconnected < 20
        page.wait_for_timeout(500)
    expect(toast).to_have_count(0)

    page.goto("/")
    expect(page.get_by_role("article", name=waiting.stem)).not_to_contain_text("Публикация...")  # AC4
    found = rows(vezde, f"SELECT status, reason FROM publications {mine} AND title = '{waiting.stem}'")
    assert found == [("cancelled", "disconnected")]
    expect(page.get_by_role("article", name=sending.stem)).to_contain_text("Опубликовано", timeout=60_000)
    kept = page.get_by_role("article", name=published.stem)
    expect(kept).to_contain_text("Везде — демо")
    expect(kept.get_by_role("link", name="Опубликовано")).to_have_attribute("href", link)
    assert sorted(post["title"] for post in vezde.posts) == sorted([published.stem, sending.stem])
