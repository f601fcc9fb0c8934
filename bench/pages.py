"""Pages and the poll at the server, against the least that a page of the same application can do."""

from collections.abc import Iterator
from dataclasses import replace

from app.db import db
from bench.application import application, forget
from bench.harness import Figure, at_most, folder, in_turns, number, say
from bench.rows import fill
from bench.visits import MINIMAL, Visit, Visitor, add_minimal_route
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
    "Публикации": "/publications",
    "Публикации одной платформы с ошибкой": "/publications?status=failed&platform=vk",
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
        say("PostgreSQL не найден: apt install postgresql")
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
        visitor = Visitor(app)
        least = visitor.visit(MINIMAL, times)
        for title, path in PAGES.items():
            yield _page(f"{database}, публикаций {count}: {title}", visitor.visit(path, times), least)
        poll = visitor.poll()
        idle = visitor.visit(poll, times)
        seconds, beside = in_turns(4 * times, lambda: visitor.once(poll), lambda: visitor.once(MINIMAL))
        yield Figure(
            f"{database}: опрос страницы, ничего не изменилось",
            BESIDE,
            _text(replace(idle, seconds=seconds)),
            _text(replace(least, seconds=beside)),
            **at_most(seconds / beside, 1.5),
        )
        changed = visitor.visit(visitor.poll(changed=2), times)
        cards = visitor.text(visitor.poll(changed=2)).count("<article")
        yield Figure(
            f"{database}: опрос страницы, изменились 2 карточки из 24",
            BESIDE,
            f"{_text(changed)}, карточек: {cards}",
            _text(least),
            ratio=f"{number(changed.seconds / least.seconds)} ×",
            target="только изменившиеся",
            met=cards == 2,
        )
        with app.app_context():
            db.engine.dispose()
        forget(work / "var")


def _page(title: str, page: Visit, least: Visit) -> Figure:
    say(f"{title}: {_text(page)}")
    if page.status != 200:
        raise RuntimeError(f"{title}: {page.status}")
    return Figure(
        title,
        BESIDE,
        f"{_text(page)}, {page.bytes // 1000} КБ",
        _text(least),
        ratio=f"{number(page.seconds / least.seconds)} ×",
        target=f"≤ {MOST_MS} мс",
        met=page.seconds * 1000 <= MOST_MS,
    )


def _text(visit: Visit) -> str:
    return f"{number(visit.seconds * 1000, 1)} мс, запросов {visit.queries}"
