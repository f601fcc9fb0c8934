"""What the whole `make run` weighs when nothing happens, without the sandbox: fresh and after use."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import application
from bench.environment import Stand, pids_below, stand
from bench.harness import MB, Figure, folder, say, wait_for

TITLE = "Память"
PROFILE = """
Профиль: один родитель загружает приложение, репетирует публикацию, замораживает сборщик мусора и делится памятью. Своё
у работника — то, чего он коснулся: ORM ради «я жив» стоил каждому 6 МБ (теперь готовый запрос), boto3, песочница и
клиент Redis — 20 МБ на всех (теперь там, где нужны). Было 407 МБ. После дел растёт не занятое, а своё: страницы,
которых процесс коснулся, перестают быть общими (веб 19 → 46 МБ, тики 26 → 39, работник 16 → 18).
"""
WORKERS = 10
CLIPS = 60
SIGN_INS = 16  # at once, as many as the web has threads
EMAILS = [f"{name}@demo.vezde.ru" for name in ("pro", "business", "start", "free")]  # tries are counted for each
MOST = 350 * MB
POSTIZ = 2_000 * MB


def run(small: bool) -> Iterator[Figure]:
    with folder() as work, stand(work, workers=WORKERS) as one:
        time.sleep(2 if small else 10)  # the last of the workers has only just begun
        yield _figure("без дела", *_weigh(one))
        clips = 6 if small else CLIPS
        _use(one, clips)
        time.sleep(2 if small else 60)
        yield _figure(f"без дела после {clips} загрузок и публикаций и {SIGN_INS} входов сразу", *_weigh(one))


def _figure(when: str, weight: int, processes: int) -> Figure:
    return Figure(
        f"Всё `make run` {when} (веб, {WORKERS} работников, тики, планировщик, Redis), PSS",
        "Postiz: в его документации от 2 ГБ",
        f"{weight / MB:.0f} МБ, процессов {processes}",
        f"{POSTIZ // MB} МБ",
        ratio=f"{weight / POSTIZ:.2f} ×".replace(".", ","),
        target=f"≤ {MOST // MB} МБ",
        met=weight <= MOST,
    )


def _use(one: Stand, count: int) -> None:
    """As people do it: each signs in, uploads a clip by a form and publishes it."""
    with ThreadPoolExecutor(SIGN_INS) as crowd:
        people = list(crowd.map(lambda number: _person(one, number), range(SIGN_INS)))
    person, header = people[0]
    with ThreadPoolExecutor(4) as crowd:
        list(crowd.map(lambda _: _upload(one.file, person, header), range(count)))
    owner = one.user()
    wait_for(lambda: not one.ask("SELECT 1 FROM clips WHERE status = 'processing'"), 300, what="the clips")
    clips = one.clips([owner] * count)
    [channel] = one.channels([owner])
    before = one.schedule([(clip, channel) for clip in clips], [one.soon(number / 20) for number in range(count)])
    wait_for(lambda: not one.unsettled(before), 300, what="the publications")


def _person(one: Stand, number: int) -> tuple[application.Person, dict[str, str]]:
    person = application.Person(one.url)
    return person, application.sign_in(person, EMAILS[number % len(EMAILS)])


def _upload(file: Path, person: application.Person, header: dict[str, str]) -> None:
    answer = person.post("/clips", headers=header, files={"clip": (file.name, file.read_bytes(), "video/mp4")})
    answer.raise_for_status()


def _weigh(one: Stand) -> tuple[int, int]:
    """Shared pages are counted once: PSS, proc(5)."""
    everything = pids_below(one.process.pid)
    sandbox = next(pid for pid in everything if _name(pid) == "sandbox")
    ours = everything - pids_below(sandbox)
    weights = {pid: _pss(pid) for pid in ours}
    say(", ".join(f"{_name(pid)} {weight / MB:.0f}" for pid, weight in sorted(weights.items())))
    return sum(weights.values()), len(weights)


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
