"""Many large clips at once through ten workers, against one alone."""

import statistics
import time
from collections.abc import Iterator

from bench.environment import Stand, moment, stand
from bench.harness import MB, Figure, at_least, folder, number, say
from bench.sink import sink

TITLE = "Много больших клипов сразу"
PROFILE = """
Профиль: процессор почти весь в ядре, которое копирует файл в сокет; работники не ждут ни друг друга, ни базы: о ходе
загрузки пишут раз в секунду, и на время сети ни замка, ни соединения с базой никто не держит.
"""
WORKERS = 10
# What a channel to a platform gives, so that uploads last long enough to be seen side by side.
SLOW = 25 * MB
LONGEST_SECONDS = 120


def run(small: bool) -> Iterator[Figure]:
    size = 10 * MB if small else 100 * MB
    for rate in (0, SLOW):
        with folder() as work, sink(bytes_per_second=rate) as address:
            settings = {"TELEGRAM_API_URL": address, "LOCAL_HOSTS": address.partition("//")[2]}
            with stand(work, workers=WORKERS, clip_bytes=size, **settings) as one:
                yield from _compare(one, rate, size)


def _compare(one: Stand, rate: int, size: int) -> Iterator[Figure]:
    alone = statistics.median(_publish(one, 1)[0] for _ in range(1 if rate else 3))
    line = f"линия {SLOW // MB} МБ/с на соединение" if rate else "линия без предела"
    for count in (10, 40):
        together, most = _publish(one, count)
        say(f"{count} по {size // MB} МБ, {line}: {together / MB:.0f} МБ/с, сразу {most}")
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
                str(most),
                "1",
                ratio=f"{number(most, 0)} ×",
                target=f"≥ {WORKERS}",
                met=most >= WORKERS,
            )


def _publish(one: Stand, count: int) -> tuple[float, int]:
    """Bytes a second of all together, and how many were seen uploading at one moment."""
    owners = one.users(count)
    places = list(zip(one.clips(owners), one.channels(owners), strict=True))
    first = one.schedule(places, [one.soon(0)] * count)
    going = "SELECT count(*) FROM publications WHERE id > ? AND stage IN ('uploading', 'sent') AND sent IS NOT NULL"
    most, give_up = 0, time.monotonic() + LONGEST_SECONDS
    while one.unsettled(first):
        [[now]] = one.ask(going, first)
        most = max(most, now)
        if time.monotonic() > give_up:
            raise TimeoutError(f"{count} публикаций не закончились за {LONGEST_SECONDS} с")
        time.sleep(0.05)
    [[begun, ended, done]] = one.ask(
        "SELECT min(started_at), max(published_at), count(published_at) FROM publications WHERE id > ?", first
    )
    if done != count:
        raise RuntimeError(f"опубликовано {done} из {count}")
    seconds = (moment(ended) - moment(begun)).total_seconds()
    return count * one.file.stat().st_size / seconds, most
