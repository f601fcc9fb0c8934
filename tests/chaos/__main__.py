"""`make chaos`: a run of some minutes. The seed is printed, so that a run can be repeated.

PUBLICATIONS (200), SEED (default: the clock), DATABASE_URL (default: a new SQLite file; `postgresql`: a new server,
restarted too; or a URL), VK_ROUTE (clips or video; default: by the seed), WORKERS (8), SECONDS of faults (90),
TROUBLE=0 for a run without faults, KEEP=1 to keep the folder.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.run import run

LIMIT_SECONDS = 600
VK_ROUTES = ("clips", "video")


def main() -> int:
    def number(name: str, default: int) -> int:
        return int(os.environ.get(name) or default)

    seed = number("SEED", int(time.time()))
    folder = Path(tempfile.mkdtemp(prefix="vezde-chaos-", dir="/tmp"))
    trouble = os.environ.get("TROUBLE") != "0"
    database_url = os.environ.get("DATABASE_URL", "")
    vk_route = os.environ.get("VK_ROUTE") or VK_ROUTES[seed % 2]
    print(f"SEED={seed} VK_ROUTE={vk_route}, {folder}", flush=True)
    report = run(
        folder,
        publications=number("PUBLICATIONS", 200),
        seed=seed,
        database_url=database_url,
        vk_route=vk_route,
        workers=number("WORKERS", 8),
        trouble=trouble,
        seconds=number("SECONDS", 90),
        limit=LIMIT_SECONDS,
    )
    print(report.table())
    if report.passed and not os.environ.get("KEEP"):
        shutil.rmtree(folder, ignore_errors=True)
    again = f"SEED={seed} VK_ROUTE={vk_route}, журналы: {folder}/log"
    print("Обещания сдержаны." if report.passed else f"Обещания нарушены. Повторить: {again}")
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
