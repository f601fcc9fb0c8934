"""MAX, as one sees it: the form, a wrong channel that costs no second paste of the token, the post."""

import hashlib

from playwright.sync_api import Page, expect

from tests import clips as test_clips
from tests.journeys.conftest import Running
from tests.journeys.steps import (
    PUBLISHING_MS,
    begin,
    close_progress,
    connect_by_form,
    fill_and_connect,
    platform_card,
    row,
    upload,
)

TOKEN = "vezde-max-demo-bot"


def test_max_from_the_form_to_the_post(page: Page, vezde: Running, tmp_path):
    begin(page, vezde, "max@example.org", "Pro")
    connect_by_form(page, "MAX", Токен_бота=TOKEN, Канал="@vezde_readonly")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Бота @vezde_demo_bot нет в этом канале")).to_be_visible()
    expect(dialog.get_by_text("проверенная организация, ИП или самозанятый")).to_be_visible()
    expect(dialog.get_by_text("Токен сохранён")).to_be_visible()
    expect(dialog.get_by_label("Токен бота")).to_be_hidden()
    assert TOKEN not in page.content()
    fill_and_connect(page, Канал="https://max.ru/vezde_demo")
    card = platform_card(page, "MAX")
    expect(card).to_contain_text("Везде — демо")
    expect(card).to_contain_text("Подключено")

    sunset = test_clips.write(tmp_path / "Закат.mp4", seconds=2)
    clip = upload(page, sunset)
    clip.get_by_role("button", name="Опубликовать").click()
    page.get_by_role("dialog").get_by_role("button", name="Опубликовать в MAX").click()
    close_progress(page)
    expect(row(clip, "MAX").get_by_role("link", name="Опубликовано")).to_be_visible(timeout=PUBLISHING_MS)
    [post] = vezde.posts
    assert post["sha256"] == hashlib.sha256(sunset.read_bytes()).hexdigest()
