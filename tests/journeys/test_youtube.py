"""YouTube, as one sees it: consent, what the window tells while one types, options, the bytes, the day that is over."""

import hashlib
import re

import pytest
from playwright.sync_api import Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import (
    PUBLISHING_MS,
    begin,
    close_progress,
    connect_by_consent,
    open_integrations,
    platform_card,
    row,
    upload,
)


@pytest.fixture(scope="module")
def sunset(tmp_path_factory):
    return test_clips.write(tmp_path_factory.mktemp("clips") / "Закат.mp4", seconds=2)


def test_youtube_from_consent_to_the_video(page: Page, vezde: Running, sunset):
    begin(page, vezde, "youtube@example.org", "Pro")
    connect_by_consent(page, "YouTube", "Отказать")
    expect(page.get_by_text("YouTube не подключён")).to_be_visible()
    connect_by_consent(page, "YouTube")
    open_integrations(page)
    expect(platform_card(page, "YouTube")).to_contain_text("Волжские закаты")

    card = upload(page, sunset)
    card.get_by_role("button", name="Опубликовать").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("tab", name="YouTube").click()
    own = dialog.get_by_role("tabpanel", name="YouTube")
    note = own.get_by_text("Площадка не примет < и >").first
    expect(note).to_be_hidden()
    own.get_by_label("Название").fill("5 > 3")
    expect(note).to_be_visible()
    expect(dialog.get_by_role("tab", name="YouTube (свой текст, не помещается)")).to_be_visible()
    own.get_by_label("Название").fill("Закат")
    expect(note).to_be_hidden()
    own.get_by_label("Описание").fill("я" * 2501)
    expect(own).to_contain_text("5002 из 5000 байт")
    own.get_by_label("Описание").fill("Волга")
    own.get_by_label("Кто увидит").select_option(label="Все, у кого есть ссылка")
    own.get_by_label("Теги").fill("волга, закат")
    own.get_by_label("Уведомить подписчиков").uncheck()
    dialog.get_by_role("button", name="Опубликовать в YouTube").click()
    close_progress(page)
    link = row(card, "YouTube").get_by_role("link", name="Опубликовано")
    expect(link).to_be_visible(timeout=PUBLISHING_MS)
    expect(card).to_contain_text("Видео видят только те, у кого есть ссылка")
    [post] = vezde.posts
    assert post["sha256"] == hashlib.sha256(sunset.read_bytes()).hexdigest()
    assert (post["url"], post["facts"]["notify"]) == (link.get_attribute("href"), False)
    assert post["facts"]["metadata"]["snippet"]["tags"] == ["волга", "закат"]

    vezde.control("options", youtube_daily_inserts=0)
    card.get_by_role("button", name="Ещё раз").click()
    dialog.get_by_label("Опубликовать ещё раз").check()
    own = dialog.get_by_role("tabpanel", name="YouTube")
    dialog.get_by_role("tab", name="YouTube").click()
    expect(own.get_by_label("Кто увидит")).to_have_value("unlisted")  # remembered, unlike the tags
    expect(own.get_by_label("Теги")).to_have_value("")
    dialog.get_by_role("button", name=re.compile("Опубликовать")).last.click()
    expect(dialog).to_contain_text("сегодня площадка больше не примет", timeout=PUBLISHING_MS)
    assert len(vezde.posts) == 1
