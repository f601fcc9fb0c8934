"""Memory of an idle `make run` without the sandbox: after the start and after use."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import application
from bench.environment import Environment, pids_below, running_environment
from bench.harness import MB, Figure, folder, progress, wait_for

TITLE = "Память"
PROFILE = """
Профиль: один родитель загружает приложение, репетирует публикацию, замораживает сборщик мусора и делится памятью. Своё
у работника — то, чего он коснулся: ORM ради «я жив» стоил каждому 6 МБ (теперь готовый запрос), boto3, песочница и
клиент Redis — 20 МБ на всех (теперь там, где нужны). Было 407 МБ. После дел растёт не занятое, а своё: страницы,
которых процесс коснулся, перестают быть общими (веб 19 → 46 МБ, тики 26 → 39, работник 16 → 18).
"""
WORKERS = 10
CLIPS = 60
SIGN_INS = 16  # concurrent, as many as the web process has threads
EMAILS = [f"{name}@demo.vezde.ru" for name in ("pro", "business", "start", "free")]  # attempts are counted per e-mail
MAX_BYTES = 350 * MB
POSTIZ = 2_000 * MB


def run(small: bool) -> Iterator[Figure]:
    with folder() as work, running_environment(work, workers=WORKERS) as env:
        time.sleep(2 if small else 10)  # the last worker has just started
        yield _figure("без дела", *_measure(env))
        clips = 6 if small else CLIPS
        _run_load(env, clips)
        time.sleep(2 if small else 60)
        yield _figure(f"без дела после {clips} загрузок и публикаций и {SIGN_INS} входов сразу", *_measure(env))


def _figure(when: str, memory: int, processes: int) -> Figure:
    return Figure(
        f"Всё `make run` {when} (веб, {WORKERS} работников, тики, планировщик, Redis), PSS",
        "Postiz: в его документации от 2 ГБ",
        f"{memory / MB:.0f} МБ, процессов {processes}",
        f"{POSTIZ // MB} МБ",
        ratio=f"{memory / POSTIZ:.2f} ×".replace(".", ","),
        target=f"≤ {MAX_BYTES // MB} МБ",
        met=memory <= MAX_BYTES,
    )


def _run_load(env: Environment, count: int) -> None:
    """Simulates users: sign-ins, uploads by a form, publications."""
    with ThreadPoolExecutor(SIGN_INS) as pool:
        sessions = list(pool.map(lambda number: _sign_in(env, number), range(SIGN_INS)))
    session, header = sessions[0]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: _upload(env.file, session, header), range(count)))
    owner = env.user()
    wait_for(lambda: not env.query("SELECT 1 FROM clips WHERE status = 'processing'"), 300, what="the clips")
    clips = env.clips([owner] * count)
    [channel] = env.channels([owner])
    before = env.schedule([(clip, channel) for clip in clips], [env.soon(number / 20) for number in range(count)])
    wait_for(lambda: not env.unfinished(before), 300, what="the publications")


def _sign_in(env: Environment, number: int) -> tuple[application.Session, dict[str, str]]:
    session = application.Session(env.url)
    return session, application.sign_in(session, EMAILS[number % len(EMAILS)])


def _upload(file: Path, session: application.Session, header: dict[str, str]) -> None:
    response = session.post("/clips", headers=header, files={"clip": (file.name, file.read_bytes(), "video/mp4")})
    response.raise_for_status()


def _measure(env: Environment) -> tuple[int, int]:
    """Returns bytes and the number of processes. Shared pages are counted once: PSS, proc(5)."""
    all_pids = pids_below(env.process.pid)
    sandbox = next(pid for pid in all_pids if _name(pid) == "sandbox")
    ours = all_pids - pids_below(sandbox)
    sizes = {pid: _pss(pid) for pid in ours}
    progress(", ".join(f"{_name(pid)} {memory / MB:.0f}" for pid, memory in sorted(sizes.items())))
    return sum(sizes.values()), len(sizes)


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
