"""What a person does in the browser, by the labels that they see."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.conftest import DEMO_BOT
from tests.journeys.conftest import Running
from tests.person import Person

PUBLISHING_MS = 60_000


def begin(page: Page, vezde: Running, email: str, plan: str = "", accounts: tuple[str, ...] = ()) -> None:
    """Where a journey begins: somebody who has signed up before, chosen a plan and connected accounts; at the clips."""
    with without_scripts(page, vezde, email) as person:
        person.sign_up(timezone="Asia/Yekaterinburg")
        if plan:
            person.post(f"/plans/{plan.lower()}", "/plans")
        for platform in accounts:
            connect(person, platform)
    page.goto("/")
    page.wait_for_load_state()  # until its scripts are there, everything works as without them


@contextmanager
def without_scripts(page: Page, vezde: Running, email: str = "") -> Iterator[Person]:
    """The same person by plain forms, without a page to draw: that takes a tenth of the time."""
    person = Person(vezde.url, email)
    person.take_cookies({cookie["name"]: cookie["value"] for cookie in page.context.cookies(vezde.url)})
    yield person
    page.context.add_cookies(
        [
            {"name": name, "value": value, "url": vezde.url, "httpOnly": True, "sameSite": "Lax"}
            for name, value in person.cookies.items()
        ]
    )


def connect(person: Person, platform: str) -> None:
    match platform:
        case "telegram":
            person.connect("telegram", bot_token=DEMO_BOT, channel="@vezde_demo")
        case "rutube":
            person.connect("rutube", token="rutube-demo-token")
        case _:
            person.connect_by_consent(platform)


def sign_up(page: Page, email: str, plan: str = "") -> None:
    page.goto("/")
    page.get_by_role("link", name="Создать аккаунт").first.click()
    page.get_by_label("Имя").fill("Анна")
    page.get_by_label("Почта").fill(email)
    page.get_by_label("Пароль").fill("parol-parol")
    page.get_by_role("checkbox", name="Даю согласие").check()
    page.get_by_role("button", name="Создать аккаунт").click()
    expect(page.get_by_role("link", name="Клипы").first).to_be_visible()
    page.wait_for_load_state()  # until its scripts are there, everything works as without them
    if plan:
        choose_plan(page, plan)


def confirm_email(page: Page, vezde: Running, email: str) -> None:
    """By the link of the letter that the sign-up sends; leads to the clips."""
    for _ in range(30):
        if letters := [mail for mail in vezde.control("mails")["mails"] if mail["to"] == [email]]:
            break
        page.wait_for_timeout(500)
    page.goto(re.search(r"http\S+/email/\S+", letters[0]["text"])[0])
    page.get_by_role("button", name="Подтвердить").click()
    expect(page.get_by_text("Почта подтверждена")).to_be_visible()


def sign_in(page: Page, email: str, password: str = "demo-demo") -> None:
    page.goto("/sign-in")
    page.get_by_label("Почта").fill(email)
    page.get_by_label("Пароль").fill(password)
    page.get_by_role("button", name="Войти").click()
    expect(page.get_by_role("link", name="Клипы").first).to_be_visible()
    page.wait_for_load_state()  # until its scripts are there, everything works as without them


def from_user_menu(page: Page, name: str, role: str = "link") -> None:
    """An entry under the user's picture, on a phone under «Ещё»."""
    page.get_by_role("button", name=re.compile("Профиль и настройки|Ещё")).first.click()
    page.locator("#user-menu").get_by_role(role, name=name).click()


def sign_out(page: Page) -> None:
    from_user_menu(page, "Выйти", "button")
    expect(page).to_have_url(re.compile("/sign-in"))


def choose_plan(page: Page, name: str) -> None:
    from_user_menu(page, "Тарифы")
    page.get_by_role("button", name=f"Выбрать {name}").click()
    expect(page.get_by_role("article", name=name)).to_contain_text("Ваш тариф")


def open_integrations(page: Page) -> None:
    from_user_menu(page, "Настройки")
    expect(page.get_by_role("heading", name="Настройки")).to_be_visible()
    # It was there already where the page has been open: a page that is still on its way would close a dialog.
    expect(page.locator("body")).not_to_have_class(re.compile("loading"))


def platform_card(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def connect_by_consent(page: Page, name: str, answer: str = "Разрешить") -> None:
    """VK and Дзен: their own page asks."""
    open_integrations(page)
    page.get_by_role("button", name=f"Подключить {name}").click()
    page.get_by_role("button", name=answer).click()
    page.wait_for_url("**/settings/integrations")


def connect_by_form(page: Page, name: str, **fields: str) -> None:
    """`fields` by label, with underscores for spaces."""
    open_integrations(page)
    page.get_by_role("button", name=f"Подключить {name}").click()
    fill_and_connect(page, **fields)


def fill_and_connect(page: Page, **fields: str) -> None:
    dialog = page.get_by_role("dialog")
    for label, text in fields.items():
        dialog.get_by_label(label.replace("_", " ")).fill(text)
    dialog.get_by_role("button", name="Подключить").click()


def connect_rutube(page: Page) -> None:
    connect_by_form(page, "Rutube", Токен="rutube-demo-token")
    expect(page.get_by_role("dialog")).to_be_hidden()


def connect_telegram(page: Page, channel: str = "@vezde_demo") -> None:
    connect_by_form(page, "Telegram", Токен_бота=DEMO_BOT, Канал=channel)
    expect(page.get_by_role("dialog")).to_be_hidden()


def make_set(page: Page, name: str, accounts: list[str], times: str) -> Locator:
    """Answers the set on its page, with slots at these times on workdays."""
    page.goto("/settings/sets")
    page.get_by_role("button", name="Новый набор").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Название").fill(name)
    for account in accounts:
        dialog.get_by_role("checkbox", name=account).check()
    dialog.get_by_role("button", name="Сохранить").click()
    account_set = page.get_by_role("region", name=name)
    account_set.get_by_label("Время").fill(times)
    account_set.get_by_role("button", name="Добавить", exact=True).click()
    expect(account_set.get_by_text("Очередь пуста")).to_be_visible()
    return account_set


def upload(page: Page, path: Path) -> Locator:
    """Answers the clip's card once the clip is ready."""
    page.get_by_role("link", name="Клипы").first.click()
    expect(page.get_by_role("heading", name="Клипы", exact=True)).to_be_visible()
    cards = page.get_by_role("article", name=path.stem)
    before = cards.count()
    page.get_by_label("Загрузить клип").first.set_input_files(path)
    once_more = page.get_by_role("button", name=f"Загрузить: {path.name}")
    expect(once_more.or_(cards.nth(before)).first).to_be_visible()
    if once_more.is_visible():  # another test has uploaded the same file
        once_more.click()
    expect(cards).to_have_count(before + 1)
    card = cards.first
    expect(card).to_contain_text("Готов", timeout=PUBLISHING_MS)
    return card


def publish(page: Page, card: Locator) -> None:
    card.get_by_role("button", name="Опубликовать").click()
    page.get_by_role("dialog").get_by_role("button", name="Опубликовать").click()
    close_progress(page)


def close_progress(page: Page) -> None:
    """The window shows how platforms confirm; it can be closed at any time."""
    page.get_by_role("dialog").get_by_role("link", name="Готово").click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def plan(page: Page, card: Locator, local: datetime) -> None:
    """«Запланировать» at a time of the user's own zone."""
    card.get_by_role("button", name="Опубликовать").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Дата и время").fill(f"{local:%Y-%m-%dT%H:%M}")
    dialog.get_by_role("button", name="Запланировать").click()
    expect(dialog).to_be_hidden()


def panel(card: Locator) -> Locator:
    """The clip's panel, beside the list; opened if it is not."""
    shown = card.page.get_by_role("complementary", name="Клип").get_by_role(
        "region", name=card.get_attribute("aria-label"), exact=True
    )
    if not shown.is_visible():
        card.get_by_role("heading").get_by_role("link").click()
        expect(shown).to_be_visible()
    return shown


def row(card: Locator, platform: str) -> Locator:
    """The line about one platform in the clip's panel."""
    return panel(card).get_by_role("listitem").filter(has_text=re.compile(rf"^\s*{platform}(\s|$)"))
