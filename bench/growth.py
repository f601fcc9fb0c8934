"""From a thousand publications to a million: what the tick, a claim, the poll and the pages take then."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flask import Flask

from app.extensions import db
from app.publishing import lease, schedule, tally
from app.services import accounts
from bench import application
from bench.harness import Figure, at_most, folder, number, say, timed
from bench.rows import LIGHT, fill, give_all, make_due, tidy
from bench.visits import Visitor
from tests import postgres

TITLE = "Рост базы"
PROFILE = """
Профиль: SQLite без статистики шёл по индексу пользователя целиком, PostgreSQL — по ключу всей таблицы в надежде скоро
встретить своё; статистика складывала миллион строк. Теперь каждый список упорядочен так, как умеет только его индекс,
считается до тысячи, а статистика сложена заранее (`docs/decisions/0008-standings.md`). Планы запросов держат
`tests/test_queries.py` и `tests/test_lists.py`.
"""
FEW, MANY = 1_000, 1_000_000
TIMES = 15
PAGES = {
    "страница «Клипы»": "/",
    "страница «Публикации»": "/publications",
    "«Публикации», что впереди": "/publications?status=scheduled",
    "страница «Статистика»": "/stats/",
    "«Статистика» за 90 дней": "/stats/?days=90",
}


def run(small: bool) -> Iterator[Figure]:
    many = 20_000 if small else MANY
    with folder() as work:
        yield from _compare("SQLite", many, _measure(FEW, work / "few"), _measure(many, work / "many"))
    if postgres.binaries() is None:
        say("PostgreSQL не найден: apt install postgresql")
        return
    server = postgres.Postgres()
    try:
        with folder() as work:
            few = _measure(FEW, work / "few", DATABASE_URL=server.create("few"))
            lots = _measure(many, work / "many", DATABASE_URL=server.create("many"))
            yield from _compare("PostgreSQL", many, few, lots)
    finally:
        server.remove()


def _compare(database: str, many: int, few: dict[str, float], lots: dict[str, float]) -> Iterator[Figure]:
    for what, seconds in lots.items():
        yield Figure(
            f"{database}, публикаций {many}: {what}",
            f"то же, публикаций {FEW}",
            f"{number(seconds * 1000, 1)} мс",
            f"{number(few[what] * 1000, 1)} мс",
            **at_most(seconds / few[what], 1.5),
        )


def _measure(count: int, var: Path, **settings: str) -> dict[str, float]:
    """Median seconds by what was done."""
    app = application.application(var, **settings)
    with app.app_context():
        heavy = _timed(f"{count} строк", lambda: fill(count))
        heavy_id, zone = heavy.id, heavy.timezone
        _timed("статистика сложена", lambda: tally.catch_up(heavy_id, zone))
        tidy()
        found = _engine()
    found |= _visits(app, "у кого половина", application.EMAIL) | _visits(app, "у кого сто", LIGHT)
    with app.app_context():
        _timed("всё отдано одному", lambda: give_all(accounts.by_email(application.EMAIL)))
        _timed("статистика сложена", lambda: tally.catch_up(heavy_id, zone))
        tidy()
    found |= _visits(app, "у кого почти всё", application.EMAIL) | _visits(app, "у кого сто рядом с ним", LIGHT)
    with app.app_context():
        db.engine.dispose()
    application.forget(var)
    return found


def _timed(what: str, work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    answer = work()
    say(f"{what}: {time.perf_counter() - began:.1f} с")
    return answer


def _engine() -> dict[str, float]:
    return {
        "тик (30 к сроку, 10 в работе)": _median(make_due, _tick),
        "взятие строки": _median(make_due, lambda due: lease.claim(due[0], lambda _seconds: None)),
    }


def _visits(app: Flask, whose: str, email: str) -> dict[str, float]:
    visitor = Visitor(app, email)
    found = {}
    for what, path in {"опрос": visitor.poll(), **PAGES}.items():
        found[f"{what}, {whose}"] = visitor.visit(path, TIMES).seconds
        say(f"{what}, {whose}: {found[f'{what}, {whose}'] * 1000:.1f} мс")
    return found


def _tick(due: Sequence[int]) -> None:
    if schedule.release_due(lambda ids: True) != len(due):
        raise RuntimeError("the tick released something else than what is due")


def _median(prepare: Callable[[], Sequence[int]], work: Callable[[Sequence[int]], object]) -> float:
    def once() -> float:
        due = prepare()
        return timed(lambda: work(due))

    return statistics.median([once() for _ in range(TIMES + 1)][1:])
