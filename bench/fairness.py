"""One user's bulk of a thousand small clips, or of clips that take long, and another's single clip beside it."""

import time
from collections.abc import Iterator

from bench.application import Person, sign_in
from bench.environment import Stand, stand
from bench.harness import MB, Figure, folder, number, say, wait_for
from bench.sink import sink

TITLE = "Тысяча одного и один клип другого"
PROFILE = """
Профиль: из тысячи в очереди лежат пятьдесят, и первые шесть каждого идут раньше чужих остальных; если все десять
работников заняты чужими большими клипами, берёт один из двух запасных.
"""
TIMES = 5
CHANNELS = 20
# One clip of the bulk takes this long, if it is to take long.
LONG_SECONDS = 30


def run(small: bool) -> Iterator[Figure]:
    count = 100 if small else 1000
    with folder() as work, stand(work) as one:
        yield _compare(one, count, f"{count} другого", TIMES)
    if not small:
        with folder() as work, sink(bytes_per_second=MB) as address:
            settings = {"TELEGRAM_API_URL": address, "LOCAL_HOSTS": address.partition("//")[2]}
            with stand(work, clip_bytes=LONG_SECONDS * MB, **settings) as one:
                yield _compare(one, count, f"{count} другого, каждый идёт {LONG_SECONDS} с", 1)


def _compare(one: Stand, count: int, bulk: str, times: int) -> Figure:
    someone = Person(one.url)
    header = sign_in(someone)
    [channel] = one.channels([one.user()])
    clips = [clip.id for clip in one.clips([one.user()] * 2 * times)]
    alone = max(_start_delay(one, someone, header, clip, channel.id) for clip in clips[:times])
    _bulk(one, count)
    time.sleep(2)
    beside = max(_start_delay(one, someone, header, clip, channel.id) for clip in clips[times:])
    say(f"один: {alone:.2f} с, рядом с {count}: {beside:.2f} с")
    return Figure(
        f"Один клип рядом с {bulk}: от нажатия до взятия, худшее из {times}",
        "он же, когда никого нет",
        f"{number(beside)} с",
        f"{number(alone)} с",
        ratio=f"{number(beside / alone)} ×",
        target="≤ 2 с",
        met=beside <= 2,
    )


def _bulk(one: Stand, count: int) -> None:
    [owner] = one.users(1)
    channels = one.channels([owner] * CHANNELS)
    clips = one.clips([owner] * (count // CHANNELS))
    places = [(clip, channel) for clip in clips for channel in channels]
    one.schedule(places, [one.soon(0)] * len(places))


def _start_delay(one: Stand, someone: Person, header: dict[str, str], clip_id: int, channel_id: int) -> float:
    began = time.perf_counter()
    form = {"connection": channel_id, f"title-{channel_id}": "Закат над Волгой"}
    someone.post(f"/clips/{clip_id}/publish", data=form, headers=header).raise_for_status()
    question = "SELECT holder IS NOT NULL FROM publications WHERE clip_id = ?"
    wait_for(lambda: one.ask(question, clip_id) == [(1,)], 60, 0.005, "начало публикации")
    seconds = time.perf_counter() - began
    if one.file.stat().st_size < MB:
        wait_for(lambda: one.ask("SELECT status FROM publications WHERE clip_id = ?", clip_id) == [("published",)], 60)
    time.sleep(1)  # the channel's own limit of one a second must not decide
    return seconds
