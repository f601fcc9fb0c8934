"""Many large clips through ten workers, compared with a single upload."""

import statistics
import time
from collections.abc import Iterator

from bench.environment import Environment, parse_time, running_environment
from bench.harness import MB, Figure, at_least, folder, format_number, progress
from bench.sink import sink

TITLE = "Много больших клипов сразу"
PROFILE = """
Профиль: процессор почти весь в ядре, которое копирует файл в сокет; работники не ждут ни друг друга, ни базы: о ходе
загрузки пишут раз в секунду, и на время сети ни замка, ни соединения с базой никто не держит.
"""
WORKERS = 10
# A realistic rate, so that uploads last long enough to overlap.
SLOW = 25 * MB
MAX_SECONDS = 120


def run(small: bool) -> Iterator[Figure]:
    size = 10 * MB if small else 100 * MB
    for rate in (0, SLOW):
        with folder() as work, sink(bytes_per_second=rate) as address:
            settings = {"TELEGRAM_API_URL": address, "LOCAL_HOSTS": address.partition("//")[2]}
            with running_environment(work, workers=WORKERS, clip_bytes=size, **settings) as env:
                yield from _compare(env, rate, size)


def _compare(env: Environment, rate: int, size: int) -> Iterator[Figure]:
    alone = statistics.median(_publish(env, 1)[0] for _ in range(1 if rate else 3))
    line = f"линия {SLOW // MB} МБ/с на соединение" if rate else "линия без предела"
    for count in (10, 40):
        together, max_concurrent = _publish(env, count)
        progress(f"{count} по {size // MB} МБ, {line}: {together / MB:.0f} МБ/с, сразу {max_concurrent}")
        yield Figure(
            f"{count} по {size // MB} МБ, {line}: вместе",
            "одна загрузка",
            f"{together / MB:.0f} МБ/с",
            f"{alone / MB:.0f} МБ/с",
            **at_least(together / alone, 0.8),
        )
        if rate:
            yield Figure(
                f"{count} по {size // MB} МБ, {line}: идут в один миг",
                "одна загрузка",
                str(max_concurrent),
                "1",
                ratio=f"{format_number(max_concurrent, 0)} ×",
                target=f"≥ {WORKERS}",
                met=max_concurrent >= WORKERS,
            )


def _publish(env: Environment, count: int) -> tuple[float, int]:
    """Returns the total bytes a second, and the maximum of simultaneous uploads."""
    owners = env.users(count)
    targets = list(zip(env.clips(owners), env.channels(owners), strict=True))
    first = env.schedule(targets, [env.soon(0)] * count)
    uploading = "SELECT count(*) FROM publications WHERE id > ? AND stage IN ('uploading', 'sent') AND sent IS NOT NULL"
    max_concurrent, give_up = 0, time.monotonic() + MAX_SECONDS
    while env.unfinished(first):
        [[now]] = env.query(uploading, first)
        max_concurrent = max(max_concurrent, now)
        if time.monotonic() > give_up:
            raise TimeoutError(f"{count} публикаций не закончились за {MAX_SECONDS} с")
        time.sleep(0.05)
    [[started, ended, done]] = env.query(
        "SELECT min(started_at), max(published_at), count(published_at) FROM publications WHERE id > ?", first
    )
    if done != count:
        raise RuntimeError(f"опубликовано {done} из {count}")
    seconds = (parse_time(ended) - parse_time(started)).total_seconds()
    return count * env.file.stat().st_size / seconds, max_concurrent
