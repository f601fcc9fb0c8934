"""Pages and the poll at the server, compared with a minimal page of the same application."""

from collections.abc import Iterator
from dataclasses import replace

from bench.application import application
from bench.harness import Figure, at_most, folder, format_number, interleaved, progress
from bench.rows import fill
from bench.timed_client import MINIMAL, TimedClient, Timing, add_minimal_route

TITLE = "Страницы"
PROFILE = """
Профиль: 30 из 68 мс страницы клипов занимал обход файлов часовых поясов, потом 20 из 47 — адреса и даты значков (640
раз за страницу) и ненужные сеансы HTTP; теперь всё это один раз, остальное — шаблоны карточек. Опрос строил свой
вопрос дольше, чем база отвечала: теперь он построен заранее.
"""
BESIDE = "маршрут с одним запросом и одной строкой"
MAX_MS = 60
OTHER_PAGES = {"Публикации": "/publications", "Статистика": "/stats/"}


def run(small: bool) -> Iterator[Figure]:
    count, times = (400, 10) if small else (8000, 50)  # half of them belong to the signed-in user, four to a clip
    with folder() as work:
        app = application(work / "var")
        add_minimal_route(app)
        with app.app_context():
            fill(count)
        client = TimedClient(app)
        minimal = client.measure(MINIMAL, times)
        rows = f"{count // 8} клипов, {count // 2} публикаций"
        yield _page(f"Клипы ({rows})", client.measure("/", times), minimal)
        for title, path in OTHER_PAGES.items():
            yield _page(f"{title} ({rows})", client.measure(path, times), minimal)
        poll = client.poll()
        idle = client.measure(poll, times)
        seconds, beside = interleaved(4 * times, lambda: client.once(poll), lambda: client.once(MINIMAL))
        yield Figure(
            "Опрос страницы, ничего не изменилось",
            BESIDE,
            _format(replace(idle, seconds=seconds)),
            _format(replace(minimal, seconds=beside)),
            **at_most(seconds / beside, 1.5),
        )
        changed = client.measure(client.poll(changed=2), times)
        cards = client.text(client.poll(changed=2)).count("<article")
        yield Figure(
            "Опрос страницы, изменились 2 карточки из 24",
            BESIDE,
            f"{_format(changed)}, карточек: {cards}",
            _format(minimal),
            ratio=f"{format_number(changed.seconds / minimal.seconds)} ×",
            target="только изменившиеся",
            met=cards == 2,
        )


def _page(title: str, page: Timing, minimal: Timing) -> Figure:
    progress(f"{title}: {_format(page)}")
    if page.status != 200:
        raise RuntimeError(f"{title}: {page.status}")
    return Figure(
        title,
        BESIDE,
        f"{_format(page)}, {page.bytes // 1000} КБ",
        _format(minimal),
        ratio=f"{format_number(page.seconds / minimal.seconds)} ×",
        target=f"≤ {MAX_MS} мс",
        met=page.seconds * 1000 <= MAX_MS,
    )


def _format(measure: Timing) -> str:
    return f"{format_number(measure.seconds * 1000, 1)} мс, запросов {measure.queries}"
