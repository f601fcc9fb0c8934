"""The main job: from sign-up to a link that opens the clip, through what a person sees."""

import re

import pytest
import requests
from playwright.sync_api import Page, expect

from tests import clips as test_clips
from tests.conftest import DEMO_BOT
from tests.journeys.conftest import Running


@pytest.fixture(scope="module")
def minute(tmp_path_factory):
    """A real minute of 1080×1920 H.264 with sound."""
    path = tmp_path_factory.mktemp("clips") / "Закат над Волгой.mp4"
    return test_clips.write(path, shape=test_clips.FULL_HD, seconds=60)


def sign_up(page: Page, email: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="Создать аккаунт").first.click()
    page.get_by_label("Имя").fill("Анна")
    page.get_by_label("Почта").fill(email)
    page.get_by_label("Пароль").fill("parol-parol")
    page.get_by_role("button", name="Создать аккаунт").click()
    expect(page.get_by_role("link", name="Клипы").first).to_be_visible()


def sign_in(page: Page, email: str, password: str = "demo-demo") -> None:
    page.goto("/sign-in")
    page.get_by_label("Почта").fill(email)
    page.get_by_label("Пароль").fill(password)
    page.get_by_role("button", name="Войти").click()
    expect(page.get_by_role("link", name="Клипы").first).to_be_visible()


def choose_plan(page: Page, name: str) -> None:
    page.get_by_role("link", name="Тарифы").first.click()
    page.get_by_role("button", name=re.compile(f"Выбрать.*{name}|{name}.*Выбрать")).click()


def connect_telegram(page: Page, channel: str = "@vezde_demo") -> None:
    page.goto("/settings/integrations")
    page.get_by_role("button", name="Подключить Telegram").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Токен бота").fill(DEMO_BOT)
    dialog.get_by_label("Канал").fill(channel)
    dialog.get_by_role("button", name="Подключить").click()


def upload(page: Page, path) -> None:
    page.goto("/")
    page.get_by_label("Загрузить клип").first.set_input_files(path)
    expect(page.get_by_role("article", name=path.stem)).to_contain_text("Готов", timeout=60_000)


def publish(page: Page, title: str) -> None:
    page.get_by_role("article", name=title).get_by_role("button", name="Опубликовать").click()
    page.get_by_role("dialog").get_by_role("button", name="Опубликовать").click()


def test_from_sign_up_to_the_link(page: Page, vezde: Running, minute):
    sign_up(page, "anna@example.org")
    choose_plan(page, "Pro")
    connect_telegram(page)
    expect(page.get_by_text("Везде — демо").first).to_be_visible()
    upload(page, minute)
    publish(page, minute.stem)
    card = page.get_by_role("article", name=minute.stem)
    expect(card).to_contain_text("Опубликовано", timeout=60_000)
    [post] = vezde.posts
    link = card.get_by_role("link", name=re.compile("Telegram|Открыть|Опубликовано")).first.get_attribute("href")
    assert link == post["url"]
    sent = requests.get(f"{link}", timeout=10)
    assert sent.ok and "<video" in sent.text
    import hashlib

    assert post["sha256"] == hashlib.sha256(minute.read_bytes()).hexdigest()
    assert post["bytes"] == minute.stat().st_size


def test_failure_after_three_retries_then_again(page: Page, vezde: Running, vertical_file):
    sign_in(page, "business@demo.vezde.ru")
    connect_telegram(page)
    upload(page, vertical_file)
    vezde.control("trouble", rules=[{"match": "sendVideo", "do": "error:500"}])
    publish(page, "vertical")
    card = page.get_by_role("article", name="vertical").first
    expect(card).to_contain_text("Публикация...")
    expect(card).to_contain_text("Ошибка", timeout=30_000)
    vezde.control("trouble", rules=[])
    card.get_by_role("button", name="Повторить").click()
    expect(card).to_contain_text("Опубликовано", timeout=30_000)
    assert len(vezde.posts) == 1


def test_free_sees_an_upgrade_prompt(page: Page):
    sign_in(page, "free@demo.vezde.ru")
    page.goto("/settings/integrations")
    expect(page.get_by_role("button", name="Подключить Telegram")).to_have_count(0)
    expect(page.get_by_text("Доступно на тарифе").first).to_be_visible()
