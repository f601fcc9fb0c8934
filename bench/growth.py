"""From a thousand publications to a million: what the tick, a claim, the poll and the pages take then."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from app.extensions import db, transaction
from app.publishing import lease, schedule
from bench import application
from bench.harness import Figure, at_most, folder, number, say, timed
from bench.rows import LIGHT, fill, make_due
from bench.visits import Visitor, page_of
from tests import postgres

TITLE = "Рост базы"
PROFILE = """
Профиль: SQLite без статистики шёл по индексу пользователя целиком — в тике, в карточках и в счётчиках списка;
теперь тик идёт по `wake_at`, карточки — по клипам, счётчики — по `(user_id, status)`. Планы запросов держит
`tests/test_queries.py`.
"""
FEW, MANY = 1_000, 1_000_000
TIMES = 15
PAGES = (
    ("страница «Публикации»", ("/publications", "/publications/")),
    ("страница «Статистика»", ("/stats", "/stats/")),
)


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
        began = time.perf_counter()
        fill(count)
        say(f"{count} строк за {time.perf_counter() - began:.0f} с")
        found = {
            "тик (30 к сроку, 10 в работе)": _median(make_due, _tick),
            "взятие строки": _median(make_due, _claim),
        }
    for whose, email in (("у кого половина", application.EMAIL), ("у кого две тысячных", LIGHT)):
        visitor = Visitor(app, email)
        visits = {"опрос": visitor.poll(), "страница «Клипы»": "/"}
        visits |= {title: path for title, paths in PAGES if (path := page_of(app, *paths))}
        for what, path in visits.items():
            found[f"{what}, {whose}"] = visitor.visit(path, TIMES).seconds
            say(f"{what}, {whose}: {found[f'{what}, {whose}'] * 1000:.1f} мс")
    with app.app_context():
        db.engine.dispose()
    application.forget(var)
    return found


def _tick(due: Sequence[int]) -> None:
    if schedule.release_due(lambda few, many: True) != len(due):
        raise RuntimeError("the tick released something else than what is due")


def _claim(due: Sequence[int]) -> None:
    with transaction():
        lease.claim(due[0], lambda _seconds: None)


def _median(prepare: Callable[[], Sequence[int]], work: Callable[[Sequence[int]], object]) -> float:
    def once() -> float:
        due = prepare()
        return timed(lambda: work(due))

    return statistics.median([once() for _ in range(TIMES + 1)][1:])
