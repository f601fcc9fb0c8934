"""Scheduled publications: delays, a thousand at once, and the overhead of the engine for small clips."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import redis
from rq_scheduler import Scheduler

from app.workers import crew
from bench import baseline
from bench.environment import Environment, parse_time, running_environment, spawn
from bench.harness import Figure, at_least, folder, format_number, percentile, progress, wait_for

TITLE = "По расписанию"
_SEED = 16  # the same moments in each run
PROFILE = """
Профиль: опоздание было ожиданием тика, до полутора секунд; теперь он приходит и к следующей строке в её миг, остались
путь через две очереди и fork (`docs/decisions/0019-on-time.md`). 4/5 времени малого клипа уходило на ожидание замка
SQLite (девять записей, теперь три), половина остатка — на fork (теперь рабочий процесс берёт и следующие); процессора
на клип было 91 мс, стало 17 (`docs/decisions/0009`).
"""


def run(small: bool) -> Iterator[Figure]:
    with folder() as work, running_environment(work) as env:
        yield from _spread(env, *((6, 6) if small else (60, 60)))
        yield from _at_once(env, *((60, 1, 60) if small else (200, 5, 400)))


def _spread(env: Environment, count: int, seconds: int) -> Iterator[Figure]:
    """Both run at the same time, so that other load affects both. Due at any moment of each second."""
    owners = env.users(count)
    targets = list(zip(env.clips(owners), env.channels(owners), strict=True))
    start = env.soon(5)
    moments = random.Random(_SEED)
    due = [start + timedelta(seconds=seconds * (index + moments.random()) / count) for index in range(count)]
    with _plain_rq(env, baseline.schedule, baseline.work) as plain:
        scheduler = Scheduler(baseline.QUEUE, connection=plain)
        for moment in due:
            scheduler.enqueue_at(moment.astimezone(UTC).replace(tzinfo=None), baseline.record_delay, moment.timestamp())
        first = env.schedule(targets, due)
        progress(f"{count} публикаций за {seconds} с…")
        wait_for(lambda: plain.llen(baseline.LATE) == count, seconds + 60, 0.2, "rq-scheduler")
        beside = [float(late) for late in plain.lrange(baseline.LATE, 0, -1)]
    wait_for(lambda: env.unfinished(first) == 0, 60, 0.1, "публикации")
    rows = env.query("SELECT due_at, started_at FROM publications WHERE id > ?", first)
    ours = [(parse_time(started) - parse_time(due_at)).total_seconds() for due_at, started in rows]
    tail, baseline_tail = percentile(ours, 99), percentile(beside, 99)
    yield Figure(
        f"{count} по сроку за {seconds} с: опоздание до взятия, p99",
        "rq-scheduler, enqueue_at, опрос раз в секунду (обычно раз в минуту); начинает и раньше срока",
        f"{format_number(tail)} с",
        f"{format_number(baseline_tail)} с",
        ratio=f"{format_number(tail / baseline_tail)} ×",
        target="≤ 0,3 с",
        met=tail <= 0.3,
    )
    yield Figure(
        f"{count} по сроку за {seconds} с: самое раннее",
        "то же",
        f"{format_number(min(ours))} с",
        f"{format_number(min(beside))} с",
        ratio="",
        target="не раньше срока",
        met=min(ours) >= 0,
    )


@contextmanager
def _plain_rq(env: Environment, *targets: Callable[[str], None]) -> Iterator[redis.Redis]:
    """Uses another database of the same Redis: our scheduler removes unknown jobs."""
    url = f"{env.app.config['REDIS_URL']}?db=1"
    workers = sum(target is not baseline.schedule for target in targets)
    processes = [spawn.Process(target=target, args=(url,)) for target in targets]
    for process in processes:
        process.start()
    connection = redis.Redis.from_url(url)
    try:
        wait_for(lambda: connection.scard("rq:workers") == workers, 60, what="простые работники RQ")
        yield connection
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
        connection.flushdb()


def _at_once(env: Environment, users: int, each: int, measured: int) -> Iterator[Figure]:
    """The rates are measured on the first `measured` publications, to save time."""
    owners = env.users(users)
    targets = [
        (clip, channel)
        for channel, owner in zip(env.channels(owners), owners, strict=True)
        for clip in env.clips([owner] * each)
    ]
    due = env.soon(2 + len(targets) / 500)
    first = env.schedule(targets, [due] * len(targets))
    progress(f"{len(targets)} публикаций на одну секунду…")
    unreleased_query = "SELECT count(*) FROM publications WHERE id > ? AND status = 'scheduled' AND queued_at IS NULL"
    wait_for(lambda: datetime.now(UTC) >= due, 60)
    released = wait_for(lambda: env.query(unreleased_query, first) == [(0,)], 120, 0.05, "раздача")
    yield Figure(
        f"{len(targets)} на одну секунду: все розданы",
        "похожие программы: опрос раз в 15–60 с",
        f"{format_number(released)} с",
        "15–60 с",
        ratio=f"{format_number(released / 7.5)} ×",
        target="≤ 5 с",
        met=released <= 5,
    )
    published_query = "SELECT count(*) FROM publications WHERE id > ? AND status = 'published'"
    seconds = released + wait_for(lambda: env.query(published_query, first)[0][0] >= measured, 120, 0.05, "публикации")
    rate = env.query(published_query, first)[0][0] / seconds
    progress(f"{rate:.1f} публикаций в секунду")
    _stop_rest(env, first)
    baseline_rate = _baseline_rate(env, [channel for _, channel in targets[:measured]])
    yield Figure(
        f"Малые клипы: публикаций в секунду ({len(targets)} на одну секунду, первые {measured})",
        "задачи с тем же запросом без движка, столько же работников RQ",
        f"{format_number(rate, 1)} в секунду",
        f"{format_number(baseline_rate, 1)} в секунду",
        **at_least(rate / baseline_rate, 0.7),
    )


def _stop_rest(env: Environment, first: int) -> None:
    """Stops the remaining publications, so that the workers are free."""
    with env.writing() as connection:
        connection.execute("UPDATE publications SET wake_at = NULL WHERE id > ? AND lease_until IS NULL", (first,))
    env.redis.delete("rq:queue:publish")
    leased_query = "SELECT count(*) FROM publications WHERE id > ? AND lease_until IS NOT NULL"
    wait_for(lambda: env.query(leased_query, first) == [(0,)], 60, 0.05, "начатые публикации")


def _baseline_rate(env: Environment, channels: list) -> float:
    api = env.app.config["TELEGRAM_API_URL"]
    calls = [(str(env.file), f"{api}/bot{env.bot(channel)}/sendVideo", int(channel.account_id)) for channel in channels]
    with _plain_rq(env, *[baseline.run_worker] * (env.app.config["WORKERS"] + crew.SPARES)) as plain:
        began = time.perf_counter()
        baseline.enqueue(plain, calls)
        wait_for(lambda: int(plain.get(baseline.SENT) or 0) >= len(calls), 120, 0.05, "задачи без движка")
        return len(calls) / (time.perf_counter() - began)
