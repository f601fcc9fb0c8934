"""A single clip of one user, beside another user's thousand clips, small or slow."""

import time
from collections.abc import Iterator

from bench.application import Session, sign_in
from bench.environment import Environment, running_environment
from bench.harness import MB, Figure, folder, format_number, progress, wait_for
from bench.sink import sink

TITLE = "Тысяча одного и один клип другого"
PROFILE = """
Профиль: из тысячи в очереди лежат пятьдесят, и первые шесть каждого идут раньше чужих остальных; если все десять
работников заняты чужими большими клипами, берёт один из двух запасных.
"""
TIMES = 5
CHANNELS = 20
# Upload time of a slow clip.
SLOW_CLIP_SECONDS = 30


def run(small: bool) -> Iterator[Figure]:
    count = 100 if small else 1000
    with folder() as work, running_environment(work) as env:
        yield _compare(env, count, f"{count} другого", TIMES)
    if not small:
        with folder() as work, sink(bytes_per_second=MB) as address:
            settings = {"TELEGRAM_API_URL": address, "LOCAL_HOSTS": address.partition("//")[2]}
            with running_environment(work, clip_bytes=SLOW_CLIP_SECONDS * MB, **settings) as env:
                yield _compare(env, count, f"{count} другого, каждый идёт {SLOW_CLIP_SECONDS} с", 1)


def _compare(env: Environment, count: int, bulk: str, times: int) -> Figure:
    session = Session(env.url)
    header = sign_in(session)
    [channel] = env.channels([env.user()])
    clips = [clip.id for clip in env.clips([env.user()] * 2 * times)]
    alone = max(_start_delay(env, session, header, clip, channel.id) for clip in clips[:times])
    _bulk(env, count)
    time.sleep(2)
    beside = max(_start_delay(env, session, header, clip, channel.id) for clip in clips[times:])
    progress(f"один: {alone:.2f} с, рядом с {count}: {beside:.2f} с")
    return Figure(
        f"Один клип рядом с {bulk}: от нажатия до взятия, худшее из {times}",
        "он же, когда никого нет",
        f"{format_number(beside)} с",
        f"{format_number(alone)} с",
        ratio=f"{format_number(beside / alone)} ×",
        target="≤ 2 с",
        met=beside <= 2,
    )


def _bulk(env: Environment, count: int) -> None:
    [owner] = env.users(1)
    channels = env.channels([owner] * CHANNELS)
    clips = env.clips([owner] * (count // CHANNELS))
    targets = [(clip, channel) for clip in clips for channel in channels]
    env.schedule(targets, [env.soon(0)] * len(targets))


def _start_delay(env: Environment, session: Session, header: dict[str, str], clip_id: int, channel_id: int) -> float:
    began = time.perf_counter()
    form = {"connection": channel_id, f"title-{channel_id}": "Закат над Волгой"}
    session.post(f"/clips/{clip_id}/publish", data=form, headers=header).raise_for_status()
    started_query = "SELECT holder IS NOT NULL FROM publications WHERE clip_id = ?"
    wait_for(lambda: env.query(started_query, clip_id) == [(1,)], 60, 0.005, "начало публикации")
    seconds = time.perf_counter() - began
    if env.file.stat().st_size < MB:
        wait_for(
            lambda: env.query("SELECT status FROM publications WHERE clip_id = ?", clip_id) == [("published",)], 60
        )
    time.sleep(1)  # stay below the channel's rate limit of one message a second
    return seconds
