"""A first visit to the clips page: what goes over the wire, and what a slow phone makes of it."""

from collections.abc import Iterator

from playwright.sync_api import CDPSession, sync_playwright

from bench.application import EMAIL
from bench.environment import Environment, running_environment
from bench.harness import Figure, folder, format_number, progress
from tests.journeys import steps

TITLE = "Первый заход"
PROFILE = """
Страница с 24 клипами в Chromium, кэш пуст. Медленный телефон: процессор вчетверо медленнее, 1,6 Мбит/с и 150 мс на
каждый запрос, как у Lighthouse. Тело страницы — после сжатия. Обложек у этих клипов нет: сколько они весят, зависит от
съёмки. Профиль и что изменено: `docs/decisions/0021-one-script-a-page.md`.
"""
BESIDE = "цель"
CLIPS = 24
SLOW_CPU = 4
SLOW_NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 90_000}
OBSERVE = """
window.seen = {paint: 0, shift: 0};
new PerformanceObserver(list => list.getEntries().forEach(one => seen.paint = one.startTime))
  .observe({type: "largest-contentful-paint", buffered: true});
new PerformanceObserver(list => list.getEntries().forEach(one => seen.shift += one.hadRecentInput ? 0 : one.value))
  .observe({type: "layout-shift", buffered: true});
"""


def run(small: bool) -> Iterator[Figure]:
    with folder() as work, running_environment(work) as env:
        env.clips([env.user()] * CLIPS)
        yield from _visited(env)


def _visited(env: Environment) -> Iterator[Figure]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(base_url=env.url, locale="ru-RU", viewport={"width": 390, "height": 844})
        page = context.new_page()
        steps.sign_in(page, EMAIL)
        page.close()
        page = context.new_page()
        page.add_init_script(OBSERVE)
        session = context.new_cdp_session(page)
        sizes = _watch(session)
        page.goto("/")
        page.wait_for_load_state("networkidle")
        seen = page.evaluate("window.seen")
        script = _metric(session, "ScriptDuration") * 1000
        browser.close()
    document, total = sizes["Document"], sum(sizes.values())
    progress(f"{document} B, {total} B, {seen}, {script:.0f} ms")
    yield _figure("Страница с 24 клипами, сжатая", document / 1000, "КБ", 30)
    yield _figure("Всё вместе", total / 1000, "КБ", 150)
    yield _figure("Наибольшая отрисовка", seen["paint"] / 1000, "с", 1)
    yield _figure("Сдвиг страницы", seen["shift"], "", 0)
    yield _figure("Скрипты", script, "мс", 60)


def _watch(session: CDPSession) -> dict[str, int]:
    """Bytes on the wire by kind of resource; grows while the page loads."""
    sizes: dict[str, int] = {}
    kinds: dict[str, str] = {}

    def finished(event: dict) -> None:
        kind = kinds.get(event["requestId"], "Other")
        sizes[kind] = sizes.get(kind, 0) + int(event["encodedDataLength"])

    session.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]}))
    session.on("Network.loadingFinished", finished)
    session.send("Network.enable")
    session.send("Performance.enable")
    session.send("Network.clearBrowserCache")
    session.send("Network.emulateNetworkConditions", SLOW_NETWORK)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOW_CPU})
    return sizes


def _metric(session: CDPSession, name: str) -> float:
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}[name]


def _figure(what: str, value: float, unit: str, most: float) -> Figure:
    ours = f"{format_number(value)} {unit}".strip()
    return Figure(what, BESIDE, ours, "", "", f"≤ {format_number(most)} {unit}".strip(), value <= most)
