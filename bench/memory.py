"""What the whole `make run` weighs when nothing happens, without the sandbox."""

import time
from collections.abc import Iterator
from pathlib import Path

from bench.harness import MB, Figure, folder, say
from bench.stand import Stand, pids_below, stand

TITLE = "Память"
PROFILE = """
Профиль: один родитель загружает приложение, репетирует публикацию, замораживает сборщик мусора и делится памятью. Своё
у работника — то, чего он коснулся: ORM ради «я жив» стоил каждому 6 МБ (теперь готовый запрос), boto3, песочница и
клиент Redis — 20 МБ на всех (теперь там, где нужны). Было 407 МБ.
"""
WORKERS = 10
MOST = 350 * MB
POSTIZ = 2_000 * MB


def run(small: bool) -> Iterator[Figure]:
    with folder() as work, stand(work, workers=WORKERS) as one:
        time.sleep(2 if small else 10)  # the last of the workers has only just begun
        weight, processes = _weight(one)
    say(f"{weight / MB:.0f} МБ, процессов {processes}")
    yield Figure(
        f"Всё `make run` без дела (веб, {WORKERS} работников, тики, планировщик, Redis), PSS",
        "Postiz: в его документации от 2 ГБ",
        f"{weight / MB:.0f} МБ, процессов {processes}",
        f"{POSTIZ // MB} МБ",
        ratio=f"{weight / POSTIZ:.2f} ×".replace(".", ","),
        target=f"≤ {MOST // MB} МБ",
        met=weight <= MOST,
    )


def _weight(one: Stand) -> tuple[int, int]:
    """Shared pages are counted once: PSS, proc(5)."""
    everything = pids_below(one.process.pid)
    sandbox = next(pid for pid in everything if Path(f"/proc/{pid}/comm").read_text().strip() == "sandbox")
    ours = everything - pids_below(sandbox)
    return sum(_pss(pid) for pid in ours), len(ours)


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
