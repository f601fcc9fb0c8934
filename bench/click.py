"""From the click to «published» in the database, and to the word in the browser."""

import shutil
import statistics
import time
from collections.abc import Iterator

from playwright.sync_api import Page, expect, sync_playwright

from bench.application import Person, sign_in
from bench.environment import Stand, stand
from bench.harness import Figure, Skip, folder, number, percentile, say, wait_for
from tests.journeys import steps

TITLE = "От нажатия до «Опубликовано»"
PROFILE = """
Профиль: будит строку сам запрос страницы, тик лишь подстраховывает; до «published» три записи в базу и один
запрос к платформе. В браузере добавляется шаг опроса страницы — две секунды, пока что-нибудь публикуется.
"""
# The quickest of the peers looks every 15 s, so a click waits half of that on an average.
PEERS = "похожие программы: опрос раз в 15–60 с"
PEERS_SECONDS = 7.5
WARM_UP = 5
LONGEST_SECONDS = 30


def run(small: bool) -> Iterator[Figure]:
    with folder() as work, stand(work) as one:
        yield from _in_the_database(one, 10 if small else 100)
        yield _in_the_browser(one, 2 if small else 10)


def _in_the_database(one: Stand, times: int) -> Iterator[Figure]:
    someone = Person(one.url)
    header = sign_in(someone)
    channels = one.channels([one.user()] * 8)
    clips = one.clips([one.user()] * -(-(times + WARM_UP) // len(channels)))
    places = [(clip.id, channel.id) for clip in clips for channel in channels]
    seconds = [_click(one, someone, header, *place) for place in places[: times + WARM_UP]][WARM_UP:]
    middle, tail = statistics.median(seconds), percentile(seconds, 99)
    say(f"медиана {middle:.2f} с, p99 {tail:.2f} с")
    for what, value, target in (("медиана", middle, 1), ("p99", tail, 3)):
        yield Figure(
            f"Нажатие → «published» в базе, {times} раз, {what}",
            PEERS,
            f"{number(value)} с",
            f"{number(PEERS_SECONDS, 1)} с и больше",
            f"{number(value / PEERS_SECONDS)} ×",
            f"≤ {target} с",
            value <= target,
        )


def _click(one: Stand, someone: Person, header: dict[str, str], clip_id: int, connection_id: int) -> float:
    began = time.perf_counter()
    form = {"connection": connection_id, f"title-{connection_id}": "Закат над Волгой"}
    someone.post(f"/clips/{clip_id}/publish", data=form, headers=header).raise_for_status()
    question = "SELECT status FROM publications WHERE clip_id = ? AND connection_id = ?"
    wait_for(
        lambda: one.ask(question, clip_id, connection_id) == [("published",)], LONGEST_SECONDS, 0.005, "«published»"
    )
    return time.perf_counter() - began


def _in_the_browser(one: Stand, times: int) -> Figure:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise Skip("нужен chromium: apt install chromium")
    user = one.users(1)[0]
    # The demo user's channels stay out of this dialog: a person has one.
    user.password_hash, user.session_key = one.user().password_hash, "bench"
    [channel] = one.channels([user])
    one.clips([user] * (times + 1))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(base_url=one.url, locale="ru-RU").new_page()
        steps.sign_in(page, user.email)
        seconds = [_click_in_the_browser(page, place) for place in range(times + 1)][1:]
        browser.close()
    worst = max(seconds)
    say(f"в браузере: медиана {statistics.median(seconds):.2f} с, худшее {worst:.2f} с ({channel.account_name})")
    return Figure(
        f"Нажатие → слово «Опубликовано» в Chromium, {times} раз, худшее",
        PEERS,
        f"{number(worst)} с, медиана {number(statistics.median(seconds))} с",
        f"{number(PEERS_SECONDS, 1)} с и больше",
        f"{number(worst / PEERS_SECONDS)} ×",
        "≤ 3 с",
        worst <= 3,
    )


def _click_in_the_browser(page: Page, place: int) -> float:
    card = page.get_by_role("article").nth(place)
    card.get_by_role("button", name="Опубликовать").click()
    button = page.get_by_role("dialog").get_by_role("button", name="Опубликовать")
    button.wait_for()
    began = time.perf_counter()
    button.click()
    expect(card).to_contain_text("Опубликовано", timeout=LONGEST_SECONDS * 1000)
    return time.perf_counter() - began
