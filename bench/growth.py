"""From a thousand publications of two users to a million of a thousand: the tick, a claim, the poll and the pages."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from flask import Flask

from app.db import db, transaction
from app.notifications import reminders
from app.publishing import dispatch, lease
from app.statistics import collector
from bench import application
from bench.harness import Figure, at_most, folder, format_number, interleaved, progress, timed
from bench.rows import LIGHT, TYPICAL, fill, make_due, make_stats_due
from bench.timed_client import TimedClient
from tests import postgres

TITLE = "Рост базы"
PROFILE = """
Цель: с миллионом публикаций тысячи человек — не дольше, чем в полтора раза против тысячи публикаций двоих. Профиль:
SQLite без статистики шёл по индексу пользователя целиком (тик чисел — по индексу подключений, 0,7 с), PostgreSQL — по
ключу всей таблицы в надежде скоро встретить своё. Теперь каждый список упорядочен так, как умеет только его индекс, и
считается до тысячи. Статистика складывает приросты по дням (`docs/decisions/0015-daily-increments.md`): её время растёт
с числом публикаций пользователя, но не базы. Планы запросов держат `tests/test_queries.py` и `tests/test_lists.py`.
"""
FEW, MANY = 1_000, 1_000_000  # of two users; of a thousand
TIMES = 25
PAGES = {
    "страница «Клипы»": "/",
    "план на месяц": "/plan",
    "план списком, что впереди": "/publications?state=upcoming",
    "страница «Публикации»": "/publications",
    "«Публикации», что впереди": "/publications?status=scheduled",
    "страница «Статистика»": "/stats/",
    "«Статистика» за 90 дней": "/stats/?days=90",
}


def run(small: bool) -> Iterator[Figure]:
    many = 20_000 if small else MANY
    yield from _compare("SQLite", many, {}, {})
    if postgres.binaries() is None:
        progress("PostgreSQL не найден: apt install postgresql")
        return
    server = postgres.Postgres()
    try:
        urls = [{"DATABASE_URL": server.create(name)} for name in ("few", "many")]
        yield from _compare("PostgreSQL", many, *urls)
    finally:
        server.remove()


def _compare(database: str, many: int, *settings: dict[str, str]) -> Iterator[Figure]:
    with folder() as work:
        apps = [_filled(count, work / str(count), values) for count, values in zip((FEW, many), settings, strict=True)]
        for what, (few, lots) in _measured(*apps):
            progress(f"{what}: {lots * 1000:.1f} мс, было {few * 1000:.1f}")
            yield Figure(
                f"{database}, публикаций {many}: {what}",
                f"то же, публикаций {FEW}",
                f"{format_number(lots * 1000, 1)} мс",
                f"{format_number(few * 1000, 1)} мс",
                **at_most(lots / few, 1.5),
            )
        for app in apps:
            with app.app_context():
                db.engine.dispose()
            application.remove_redis_socket(Path(app.config["VAR_DIR"]))


def _filled(count: int, var: Path, settings: dict[str, str]) -> Flask:
    app = application.application(var, **settings)
    with app.app_context():
        _timed(f"{count} строк", lambda: fill(count))
    return app


def _measured(*apps: Flask) -> Iterator[tuple[str, list[float]]]:
    """What was done, and the median seconds that it took in each application. They take turns."""
    for what, prepare, work in (
        ("тик (30 к сроку, 10 в работе)", make_due, _tick),
        ("взятие строки", make_due, _claim),
        ("тик статистики (читать на 30)", make_stats_due, _tick_of_stats),
        ("тик напоминаний", make_due, lambda _due: reminders.notify_upcoming()),
    ):
        yield what, interleaved(TIMES, *(partial(_once, app, prepare, work) for app in apps))
    yield from _visits(apps, {"у кого 900": TYPICAL, "у кого сто": LIGHT})


def _timed(what: str, work: Callable[[], object]) -> None:
    progress(f"{what}: {timed(work):.1f} с")


def _once(app: Flask, prepare: Callable[[], Sequence[int]], work: Callable[[Sequence[int]], object]) -> float:
    with app.app_context():
        due = prepare()
        return timed(lambda: work(due))


def _visits(apps: Sequence[Flask], users: dict[str, str]) -> Iterator[tuple[str, list[float]]]:
    for user, email in users.items():
        clients = [TimedClient(app, email) for app in apps]
        pages = {"опрос": [client.poll() for client in clients]} | {
            what: [path] * len(clients) for what, path in PAGES.items()
        }
        for what, paths in pages.items():
            visits = [partial(client.once, path) for client, path in zip(clients, paths, strict=True)]
            for visit in visits:
                visit()
            yield f"{what}, {user}", interleaved(TIMES, *visits)


def _claim(due: Sequence[int]) -> None:
    with transaction():
        lease.claim(due[0], lambda _seconds: None)


def _tick(due: Sequence[int]) -> None:
    if dispatch.release_due(lambda few, many: True) != len(due):
        raise RuntimeError("the tick released something else than what is due")


def _tick_of_stats(connection_ids: Sequence[int]) -> None:
    if collector.release_due(lambda ids: sorted(ids) == sorted(connection_ids)) == 0:
        raise RuntimeError("the tick released something else than what is to be read")
