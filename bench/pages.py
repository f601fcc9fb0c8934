"""Pages and the poll at the server, against the least that a page of the same application can do."""

from collections.abc import Iterator
from dataclasses import replace

from bench.application import application
from bench.harness import Figure, at_most, folder, in_turns, number, say
from bench.rows import fill
from bench.timed_client import MINIMAL, Visit, Visitor, add_minimal_route

TITLE = "Страницы"
PROFILE = """
Профиль: 30 из 68 мс страницы клипов занимал обход файлов часовых поясов, потом 20 из 47 — адреса и даты значков (640
раз за страницу) и ненужные сеансы HTTP; теперь всё это один раз, остальное — шаблоны карточек. Опрос строил свой
вопрос дольше, чем база отвечала: теперь он построен заранее.
"""
BESIDE = "маршрут с одним запросом и одной строкой"
MOST_MS = 60
MORE = {"Публикации": "/publications", "Статистика": "/stats/"}


def run(small: bool) -> Iterator[Figure]:
    count, times = (400, 10) if small else (8000, 50)  # half of them are the visitor's, four to a clip
    with folder() as work:
        app = application(work / "var")
        add_minimal_route(app)
        with app.app_context():
            fill(count)
        visitor = Visitor(app)
        least = visitor.visit(MINIMAL, times)
        rows = f"{count // 8} клипов, {count // 2} публикаций"
        yield _page(f"Клипы ({rows})", visitor.visit("/", times), least)
        for title, path in MORE.items():
            yield _page(f"{title} ({rows})", visitor.visit(path, times), least)
        poll = visitor.poll()
        idle = visitor.visit(poll, times)
        seconds, beside = in_turns(4 * times, lambda: visitor.once(poll), lambda: visitor.once(MINIMAL))
        yield Figure(
            "Опрос страницы, ничего не изменилось",
            BESIDE,
            _told(replace(idle, seconds=seconds)),
            _told(replace(least, seconds=beside)),
            **at_most(seconds / beside, 1.5),
        )
        changed = visitor.visit(visitor.poll(changed=2), times)
        cards = visitor.text(visitor.poll(changed=2)).count("<article")
        yield Figure(
            "Опрос страницы, изменились 2 карточки из 24",
            BESIDE,
            f"{_told(changed)}, карточек: {cards}",
            _told(least),
            ratio=f"{number(changed.seconds / least.seconds)} ×",
            target="только изменившиеся",
            met=cards == 2,
        )


def _page(title: str, page: Visit, least: Visit) -> Figure:
    say(f"{title}: {_told(page)}")
    if page.status != 200:
        raise RuntimeError(f"{title}: {page.status}")
    return Figure(
        title,
        BESIDE,
        f"{_told(page)}, {page.bytes // 1000} КБ",
        _told(least),
        ratio=f"{number(page.seconds / least.seconds)} ×",
        target=f"≤ {MOST_MS} мс",
        met=page.seconds * 1000 <= MOST_MS,
    )


def _told(visit: Visit) -> str:
    return f"{number(visit.seconds * 1000, 1)} мс, запросов {visit.queries}"
