"""Scheduled publications: how late they start, a thousand at once, and what the engine costs on small clips."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import redis
from rq_scheduler import Scheduler

from bench import baseline as bare
from bench.environment import Stand, fresh, moment, stand
from bench.harness import Figure, at_least, folder, number, percentile, say, wait_for

TITLE = "По расписанию"
PROFILE = """
Профиль: 4/5 времени малого клипа уходило на ожидание замка SQLite (девять записей, теперь три), половина остатка — на
fork (теперь рабочий процесс берёт и следующие); процессора на клип было 91 мс, стало 17 (`docs/decisions/0009`).
"""


def run(small: bool) -> Iterator[Figure]:
    with folder() as work, stand(work) as one:
        yield from _spread(one, *((6, 6) if small else (60, 60)))
        yield from _at_once(one, *((60, 1, 60) if small else (200, 5, 400)))


def _spread(one: Stand, count: int, seconds: int) -> Iterator[Figure]:
    """Both at the same time: what disturbs one disturbs the other."""
    owners = one.users(count)
    places = list(zip(one.clips(owners), one.channels(owners), strict=True))
    begin = one.soon(5)
    due = [begin + timedelta(seconds=seconds * (place + 0.37) / count) for place in range(count)]
    with _plain_scheduler(one) as plain:
        scheduler = Scheduler(bare.QUEUE, connection=plain)
        for one_due in due:
            scheduler.enqueue_at(one_due.astimezone(UTC).replace(tzinfo=None), bare.note, one_due.timestamp())
        first = one.schedule(places, due)
        say(f"{count} публикаций за {seconds} с…")
        wait_for(lambda: plain.llen(bare.LATE) == count, seconds + 60, 0.2, "rq-scheduler")
        beside = [float(late) for late in plain.lrange(bare.LATE, 0, -1)]
    wait_for(lambda: one.unsettled(first) == 0, 60, 0.1, "публикации")
    rows = one.ask("SELECT due_at, started_at FROM publications WHERE id > ?", first)
    ours = [(moment(started) - moment(wanted)).total_seconds() for wanted, started in rows]
    tail, their_tail = percentile(ours, 99), percentile(beside, 99)
    yield Figure(
        f"{count} по сроку за {seconds} с: опоздание до взятия, p99",
        "rq-scheduler, enqueue_at, опрос раз в секунду (обычно раз в минуту); начинает и раньше срока",
        f"{number(tail)} с",
        f"{number(their_tail)} с",
        ratio=f"{number(tail - their_tail)} с позже",
        target="≤ 1,5 с",
        met=tail <= 1.5,
    )
    yield Figure(
        f"{count} по сроку за {seconds} с: самое раннее",
        "то же",
        f"{number(min(ours))} с",
        f"{number(min(beside))} с",
        ratio="",
        target="не раньше срока",
        met=min(ours) >= 0,
    )


@contextmanager
def _plain_scheduler(one: Stand) -> Iterator[redis.Redis]:
    """On the same Redis, in a database of its own: ours clears away what it does not know."""
    url = f"{one.app.config['REDIS_URL']}?db=1"
    processes = [fresh.Process(target=target, args=(url,), daemon=True) for target in (bare.schedule, bare.work)]
    for process in processes:
        process.start()
    connection = redis.Redis.from_url(url)
    try:
        wait_for(lambda: connection.scard("rq:workers"), 30, what="рабочий rq-scheduler")
        yield connection
    finally:
        for process in processes:
            process.kill()
            process.join()
        connection.flushdb()


def _at_once(one: Stand, users: int, each: int, measured: int) -> Iterator[Figure]:
    """The rates are of the first `measured`: the rest would only take time."""
    owners = one.users(users)
    places = [
        (clip, channel)
        for channel, owner in zip(one.channels(owners), owners, strict=True)
        for clip in one.clips([owner] * each)
    ]
    due = one.soon(2 + len(places) / 500)
    first = one.schedule(places, [due] * len(places))
    say(f"{len(places)} публикаций на одну секунду…")
    waiting = "SELECT count(*) FROM publications WHERE id > ? AND status = 'scheduled' AND queued_at IS NULL"
    wait_for(lambda: datetime.now(UTC) >= due, 60)
    released = wait_for(lambda: one.ask(waiting, first) == [(0,)], 120, 0.05, "раздача")
    yield Figure(
        f"{len(places)} на одну секунду: все розданы",
        "похожие программы: опрос раз в 15–60 с",
        f"{number(released)} с",
        "15–60 с",
        ratio=f"{number(released / 7.5)} ×",
        target="≤ 5 с",
        met=released <= 5,
    )
    done = "SELECT count(*) FROM publications WHERE id > ? AND status = 'published'"
    seconds = released + wait_for(lambda: one.ask(done, first)[0][0] >= measured, 120, 0.05, "публикации")
    rate = one.ask(done, first)[0][0] / seconds
    say(f"{rate:.1f} публикаций в секунду")
    _end(one, first)
    bare_rate = _bare_rate(one, [channel for _, channel in places[:measured]])
    yield Figure(
        f"Малые клипы: публикаций в секунду ({len(places)} на одну секунду, первые {measured})",
        "задачи с тем же запросом без движка, те же работники",
        f"{number(rate, 1)} в секунду",
        f"{number(bare_rate, 1)} в секунду",
        **at_least(rate / bare_rate, 0.7),
    )


def _end(one: Stand, first: int) -> None:
    """Nothing of it is left in the workers' way."""
    with one.writing() as connection:
        connection.execute("UPDATE publications SET wake_at = NULL WHERE id > ? AND lease_until IS NULL", (first,))
    one.redis.delete("rq:queue:publish")
    held = "SELECT count(*) FROM publications WHERE id > ? AND lease_until IS NOT NULL"
    wait_for(lambda: one.ask(held, first) == [(0,)], 60, 0.05, "начатые публикации")


def _bare_rate(one: Stand, channels: list) -> float:
    api = one.app.config["TELEGRAM_API_URL"]
    calls = [(str(one.file), f"{api}/bot{one.bot(channel)}/sendVideo", int(channel.account_id)) for channel in channels]
    one.redis.delete(bare.SENT)
    began = time.perf_counter()
    bare.enqueue(one.redis, calls)
    wait_for(lambda: int(one.redis.get(bare.SENT) or 0) >= len(calls), 120, 0.05, "задачи без движка")
    return len(calls) / (time.perf_counter() - began)
