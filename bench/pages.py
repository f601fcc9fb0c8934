"""Pages and the poll at the server, against the minimal that a page of the same application can do."""

from collections.abc import Iterator
from dataclasses import replace

from app.db import db
from bench.application import application, remove_redis_socket
from bench.harness import Figure, at_most, folder, format_number, interleaved, progress
from bench.rows import fill
from bench.timed_client import MINIMAL, TimedClient, Timing, add_minimal_route
from tests import postgres

TITLE = "Страницы"
PROFILE = """
Профиль: 30 из 68 мс страницы клипов занимал обход файлов часовых поясов, потом 20 из 47 — адреса и даты значков (640
раз за страницу) и ненужные сеансы HTTP; теперь всё это один раз, остальное — шаблоны карточек. Опрос строил свой
вопрос дольше, чем база отвечала: теперь он построен заранее. Цель — 60 мс на любой странице и на обеих базах у того, у
кого 50 000 публикаций за два года; статистика складывает при показе приросты по дням (`docs/decisions/0015`).
"""
BESIDE = "маршрут с одним запросом и одной строкой"
MOST_MS = 60
PAGES = {
    "Клипы": "/",
    "План на месяц": "/plan",
    "План на неделю": "/plan?view=week",
    "План списком, что впереди": "/publications?state=upcoming",
    "Публикации": "/publications",
    "Публикации одной площадки с ошибкой": "/publications?status=failed&platform=vk",
    "Статистика за 7 дней": "/stats/?days=7",
    "Статистика за 30 дней": "/stats/",
    "Статистика за 90 дней": "/stats/?days=90",
    "Статистика за 90 дней, 20-я страница": "/stats/?days=90&page=20",
    "Уведомления": "/notices",
    "Интеграции": "/settings/integrations",
}


def run(small: bool) -> Iterator[Figure]:
    count, times = (2000, 10) if small else (50_000, 50)
    yield from _measured("SQLite", count, times, {})
    if postgres.binaries() is None:
        progress("PostgreSQL не найден: apt install postgresql")
        return
    server = postgres.Postgres()
    try:
        yield from _measured("PostgreSQL", count, times, {"DATABASE_URL": server.create("pages")})
    finally:
        server.remove()


def _measured(database: str, count: int, times: int, settings: dict[str, str]) -> Iterator[Figure]:
    """Pages and polls of the heavy user."""
    with folder() as work:
        app = application(work / "var", **settings)
        add_minimal_route(app)
        with app.app_context():
            fill(count + count // 10, count)
        client = TimedClient(app)
        minimal = client.measure(MINIMAL, times)
        for title, path in PAGES.items():
            yield _page(f"{database}, публикаций {count}: {title}", client.measure(path, times), minimal)
        poll = client.poll()
        idle = client.measure(poll, times)
        seconds, beside = interleaved(4 * times, lambda: client.once(poll), lambda: client.once(MINIMAL))
        yield Figure(
            f"{database}: опрос страницы, ничего не изменилось",
            BESIDE,
            _format(replace(idle, seconds=seconds)),
            _format(replace(minimal, seconds=beside)),
            **at_most(seconds / beside, 1.5),
        )
        changed = client.measure(client.poll(changed=2), times)
        cards = client.text(client.poll(changed=2)).count("<article")
        yield Figure(
            f"{database}: опрос страницы, изменились 2 карточки из 24",
            BESIDE,
            f"{_format(changed)}, карточек: {cards}",
            _format(minimal),
            ratio=f"{format_number(changed.seconds / minimal.seconds)} ×",
            target="только изменившиеся",
            met=cards == 2,
        )
        with app.app_context():
            db.engine.dispose()
        remove_redis_socket(work / "var")


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
        target=f"≤ {MOST_MS} мс",
        met=page.seconds * 1000 <= MOST_MS,
    )


def _format(visit: Timing) -> str:
    return f"{format_number(visit.seconds * 1000, 1)} мс, запросов {visit.queries}"
