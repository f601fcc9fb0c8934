"""From the click to «published» in the database, and to the text in the browser."""

import shutil
import statistics
import time
from collections.abc import Iterator

from playwright.sync_api import Page, expect, sync_playwright

from bench.application import Session, sign_in
from bench.environment import Environment, running_environment
from bench.harness import Figure, Skip, folder, format_number, percentile, progress, wait_for
from tests.journeys import steps

TITLE = "От нажатия до «Опубликовано»"
PROFILE = """
Профиль: будит строку сам запрос страницы, тик лишь подстраховывает; до «published» три записи в базу и один
запрос к площадке. В браузере добавляется шаг опроса страницы — две секунды, пока что-нибудь публикуется.
"""
# The fastest peer polls every 15 s, so a click waits half of that on average.
PEERS = "похожие программы: опрос раз в 15–60 с"
PEERS_SECONDS = 7.5
WARM_UP = 5
MAX_SECONDS = 30


def run(small: bool) -> Iterator[Figure]:
    with folder() as work, running_environment(work) as env:
        yield from _in_the_database(env, 10 if small else 100)
        yield _in_the_browser(env, 2 if small else 10)


def _in_the_database(env: Environment, times: int) -> Iterator[Figure]:
    session = Session(env.url)
    header = sign_in(session)
    channels = env.channels([env.user()] * 8)
    clips = env.clips([env.user()] * -(-(times + WARM_UP) // len(channels)))
    targets = [(clip.id, channel.id) for clip in clips for channel in channels]
    seconds = [_click(env, session, header, *target) for target in targets[: times + WARM_UP]][WARM_UP:]
    middle, tail = statistics.median(seconds), percentile(seconds, 99)
    progress(f"медиана {middle:.2f} с, p99 {tail:.2f} с")
    for what, value, target in (("медиана", middle, 1), ("p99", tail, 3)):
        yield Figure(
            f"Нажатие → «published» в базе, {times} раз, {what}",
            PEERS,
            f"{format_number(value)} с",
            f"{format_number(PEERS_SECONDS, 1)} с и больше",
            f"{format_number(value / PEERS_SECONDS)} ×",
            f"≤ {target} с",
            value <= target,
        )


def _click(env: Environment, session: Session, header: dict[str, str], clip_id: int, connection_id: int) -> float:
    began = time.perf_counter()
    form = {"connection": connection_id, f"title-{connection_id}": "Закат над Волгой"}
    session.post(f"/clips/{clip_id}/publish", data=form, headers=header).raise_for_status()
    status_query = "SELECT status FROM publications WHERE clip_id = ? AND connection_id = ?"
    wait_for(
        lambda: env.query(status_query, clip_id, connection_id) == [("published",)], MAX_SECONDS, 0.005, "«published»"
    )
    return time.perf_counter() - began


def _in_the_browser(env: Environment, times: int) -> Figure:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise Skip("нужен chromium: apt install chromium")
    user = env.users(1)[0]
    # A new user has one channel in the dialog, unlike the demo user.
    user.password_hash, user.session_key = env.user().password_hash, "bench"
    [channel] = env.channels([user])
    env.clips([user] * (times + 1))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(base_url=env.url, locale="ru-RU").new_page()
        steps.sign_in(page, user.email)
        seconds = [_click_in_the_browser(page, index) for index in range(times + 1)][1:]
        browser.close()
    worst = max(seconds)
    progress(f"в браузере: медиана {statistics.median(seconds):.2f} с, худшее {worst:.2f} с ({channel.account_name})")
    return Figure(
        f"Нажатие → слово «Опубликовано» в Chromium, {times} раз, худшее",
        PEERS,
        f"{format_number(worst)} с, медиана {format_number(statistics.median(seconds))} с",
        f"{format_number(PEERS_SECONDS, 1)} с и больше",
        f"{format_number(worst / PEERS_SECONDS)} ×",
        "≤ 3 с",
        worst <= 3,
    )


def _click_in_the_browser(page: Page, index: int) -> float:
    card = page.get_by_role("article").nth(index)
    card.get_by_role("button", name="Опубликовать").click()
    button = page.get_by_role("dialog").get_by_role("button", name="Опубликовать")
    button.wait_for()
    began = time.perf_counter()
    button.click()
    expect(card).to_contain_text("Опубликовано", timeout=MAX_SECONDS * 1000)
    return time.perf_counter() - began
