"""Passkeys in a real browser, whose authenticator is Chromium's own virtual one. By keyboard too."""

import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect
from werkzeug.serving import make_server

from tests.journeys.steps import sign_out

EMAIL, PASSWORD = "anna@example.org", "parol-parol"


@pytest.fixture
def environment(environment):
    """Browsers have passkeys for hosts with a name only."""
    environment["PUBLIC_URL"] = environment["PUBLIC_URL"].replace("127.0.0.1", "localhost")
    return environment


@pytest.fixture
def site(app) -> Iterator[str]:
    address = urlsplit(app.config["PUBLIC_URL"])
    server = make_server(address.hostname, address.port, app, threaded=True)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield app.config["PUBLIC_URL"]
    server.shutdown()


class Device:
    """A device with a platform authenticator; `verifies`: whether its owner is recognised."""

    def __init__(self, page: Page) -> None:
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
        self._id = self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def verifies(self, owner: bool) -> None:
        self._cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self._id, "isUserVerified": owner})

    def credentials(self) -> list[dict]:
        return self._cdp.send("WebAuthn.getCredentials", {"authenticatorId": self._id})["credentials"]


@pytest.fixture
def page(chromium: Browser, site: str) -> Iterator[Page]:
    context = chromium.new_context(base_url=site, locale="ru-RU")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if "policy" in message.text.lower() else None)
    yield page
    context.close()
    assert complaints == []


def enter_password(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("Почта").fill(EMAIL)
    page.get_by_label("Пароль").fill(PASSWORD)
    page.get_by_role("button", name="Войти", exact=True).click()


def press(page: Page, name: str) -> None:
    """By keyboard: Tab until the button has the focus, then Enter."""
    button = page.get_by_role("button", name=name)
    expect(button).to_be_visible()
    for _ in range(40):
        if button.evaluate("one => one === document.activeElement"):
            page.keyboard.press("Enter")
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{name}: Tab does not get there")


def add_passkey(page: Page, name: str) -> None:
    page.goto("/settings/second-factor")
    page.get_by_role("link", name="Добавить ключ доступа").click()
    expect(page.get_by_role("heading", name="Новый ключ доступа")).to_be_visible()  # both pages ask for the password
    page.get_by_label("Нынешний пароль").fill(PASSWORD)
    page.get_by_role("button", name="Продолжить").click()
    page.get_by_label("Название").fill(name)
    press(page, "Создать ключ доступа")


def test_adding_signing_in_and_removing(page: Page, user) -> None:
    user(email=EMAIL)
    device = Device(page)
    enter_password(page)
    add_passkey(page, "Телефон")
    expect(page.get_by_role("heading", name="Коды восстановления")).to_be_visible()
    assert page.locator("main code").count() == 10
    page.get_by_role("link", name="Коды сохранены").click()
    expect(page.get_by_role("listitem").filter(has_text="Телефон")).to_contain_text("ещё не использован")
    [credential] = device.credentials()
    assert (credential["isResidentCredential"], credential["rpId"]) == (True, "localhost")

    sign_out(page)
    page.goto("/sign-in?next=/plans")
    press(page, "Войти с ключом доступа")
    expect(page).to_have_url("/plans")

    sign_out(page)
    enter_password(page)
    expect(page.get_by_role("heading", name="Код для входа")).to_be_visible()
    page.get_by_role("button", name="Войти с ключом доступа").click()
    expect(page.get_by_role("link", name="Клипы").first).to_be_visible()

    page.goto("/settings/second-factor")
    page.get_by_role("link", name="Удалить: Телефон").click()
    press(page, "Подтвердить ключом доступа")
    expect(page.get_by_text("Ключ доступа удалён.")).to_be_visible()
    sign_out(page)
    page.get_by_role("button", name="Войти с ключом доступа").click()
    expect(page.get_by_text("Ключ доступа не подошёл.")).to_be_visible()


def test_an_owner_who_is_not_recognised_and_a_device_that_has_one_already(page: Page, user) -> None:
    user(email=EMAIL)
    device = Device(page)
    enter_password(page)
    add_passkey(page, "Телефон")
    page.get_by_role("link", name="Коды сохранены").click()
    page.get_by_role("link", name="Добавить ключ доступа").click()
    press(page, "Подтвердить ключом доступа")
    page.get_by_label("Название").fill("Ещё один")
    press(page, "Создать ключ доступа")
    expect(page.get_by_role("alert")).to_contain_text("ваш ключ доступа уже есть")
    assert len(device.credentials()) == 1

    sign_out(page)
    device.verifies(owner=False)
    button = page.get_by_role("button", name="Войти с ключом доступа")
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("Ключ доступа не сработал")
    expect(button).to_be_focused()
    device.verifies(owner=True)
    button.click()
    expect(page.get_by_role("link", name="Клипы").first).to_be_visible()


def test_without_scripts_the_other_ways_work_and_no_dead_button_is_shown(chromium: Browser, site: str, user) -> None:
    user(email=EMAIL)
    context = chromium.new_context(base_url=site, locale="ru-RU", java_script_enabled=False)
    page = context.new_page()
    page.goto("/sign-in")
    expect(page.get_by_role("button", name="Войти с ключом доступа")).to_be_hidden()
    enter_password(page)
    page.goto("/passkeys/add")
    page.get_by_label("Нынешний пароль").fill(PASSWORD)
    page.get_by_role("button", name="Продолжить").click()
    expect(page.get_by_text("настройте код из приложения")).to_be_visible()
    expect(page.get_by_role("button", name="Создать ключ доступа")).to_be_hidden()
    context.close()
