"""The tick, a claim, the poll and the pages at a million publications, compared with a thousand."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from flask import Flask

from app.db import db, transaction
from app.models import User
from app.notifications import reminders
from app.publishing import dispatch, lease
from app.services import users
from app.statistics import collector, tally
from bench import application
from bench.harness import Figure, at_most, folder, format_number, interleaved, progress, timed
from bench.rows import LIGHT, fill, make_due, make_stats_due, move_all_to, vacuum
from bench.timed_client import TimedClient
from tests import postgres

TITLE = "Рост базы"
PROFILE = """
Профиль: SQLite без статистики шёл по индексу пользователя целиком (тик чисел — по индексу подключений, 0,7 с),
PostgreSQL — по ключу всей таблицы в надежде скоро встретить своё; статистика складывала миллион строк. Теперь каждый
список упорядочен так, как умеет только его индекс, считается до тысячи, а статистика сложена заранее
(`docs/decisions/0008-standings.md`). Планы запросов держат `tests/test_queries.py` и `tests/test_lists.py`.
"""
FEW, MANY = 1_000, 1_000_000
TIMES = 25
PAGES = {
    "страница «Клипы»": "/",
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
        for what, (small, large) in _measured(*apps):
            progress(f"{what}: {large * 1000:.1f} мс, было {small * 1000:.1f}")
            yield Figure(
                f"{database}, публикаций {many}: {what}",
                f"то же, публикаций {FEW}",
                f"{format_number(large * 1000, 1)} мс",
                f"{format_number(small * 1000, 1)} мс",
                **at_most(large / small, 1.5),
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
    """Yields a name and the median seconds in each application. The applications take turns."""
    for app in apps:
        _add_up(app)
    for what, prepare, work in (
        ("тик (30 к сроку, 10 в работе)", make_due, _tick),
        ("взятие строки", make_due, _claim),
        ("тик статистики (читать на 30)", make_stats_due, _tick_of_stats),
        ("тик напоминаний", make_due, lambda _due: reminders.notify_upcoming()),
    ):
        yield what, interleaved(TIMES, *(partial(_once, app, prepare, work) for app in apps))
    yield from _visits(apps, {"у кого половина": application.EMAIL, "у кого сто": LIGHT})
    for app in apps:
        with app.app_context():
            _timed("всё отдано одному", lambda: move_all_to(users.by_email(application.EMAIL)))
        _add_up(app)
    yield from _visits(apps, {"у кого почти всё": application.EMAIL, "у кого сто рядом с ним": LIGHT})


def _add_up(app: Flask) -> None:
    with app.app_context():
        users = db.session.execute(db.select(User.id, User.timezone)).all()
        db.session.rollback()
        _timed("статистика сложена", lambda: [tally.catch_up(*user) for user in users])
        db.session.rollback()
        vacuum()


def _timed(what: str, work: Callable[[], object]) -> None:
    progress(f"{what}: {timed(work):.1f} с")


def _once(app: Flask, prepare: Callable[[], Sequence[int]], work: Callable[[Sequence[int]], object]) -> float:
    with app.app_context():
        due = prepare()
        return timed(lambda: work(due))


def _visits(apps: Sequence[Flask], emails: dict[str, str]) -> Iterator[tuple[str, list[float]]]:
    for label, email in emails.items():
        clients = [TimedClient(app, email) for app in apps]
        pages = {"опрос": [client.poll() for client in clients]} | {
            what: [path] * len(clients) for what, path in PAGES.items()
        }
        for what, paths in pages.items():
            visits = [partial(client.once, path) for client, path in zip(clients, paths, strict=True)]
            for measure in visits:
                measure()
            yield f"{what}, {label}", interleaved(TIMES, *visits)


def _claim(due: Sequence[int]) -> None:
    with transaction():
        lease.claim(due[0], lambda _seconds: None)


def _tick(due: Sequence[int]) -> None:
    if dispatch.release_due(lambda few, many: True) != len(due):
        raise RuntimeError("the tick did not release exactly the due rows")


def _tick_of_stats(connection_ids: Sequence[int]) -> None:
    if collector.release_due(lambda ids: sorted(ids) == sorted(connection_ids)) == 0:
        raise RuntimeError("the tick did not release exactly the accounts to be read")
