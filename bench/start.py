"""From `make run` to the first page: in a fresh copy of the project, and with everything installed."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from bench import application
from bench.harness import ROOT, Figure, folder, format_number, progress
from tests.conftest import free_port

TITLE = "Запуск"
PROFILE = """
Профиль: холодный запуск — загрузка и установка пакетов; готовый — импорт приложения в одном родителе, потом по очереди
Redis, миграции, песочница, веб.
"""
MAX_SECONDS = 200


def run(small: bool) -> Iterator[Figure]:
    with folder() as work:
        first = _seconds_to_first_page(ROOT, work / "var")
        warm = min(_seconds_to_first_page(ROOT, work / "var") for _ in range(1 if small else 3))
        progress(f"готовое: {warm:.1f} с")
        yield Figure(
            "`make run` до первой страницы, всё установлено",
            "первый раз с новой папкой данных",
            f"{format_number(warm, 1)} с",
            f"{format_number(first, 1)} с",
            ratio=f"{format_number(warm / first)} ×",
            target="≤ 5 с",
            met=warm <= 5,
        )
        if small:
            return
        copy = work / "project"
        _copy(copy)
        cold = _seconds_to_first_page(copy, work / "cold")
        yield Figure(
            "`make run` до первой страницы в свежей копии: ставит пакеты (их кэш уже есть)",
            "всё установлено",
            f"{format_number(cold, 1)} с",
            f"{format_number(warm, 1)} с",
            ratio=f"{format_number(cold / warm, 1)} ×",
            target="просто сказано",
            met=None,
        )


def _copy(to: Path) -> None:
    """Copies the files that a clone of the working tree has."""
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def _seconds_to_first_page(project: Path, var: Path) -> float:
    port = free_port()
    settings = {"PORT": str(port), "SANDBOX_PORT": str(free_port()), "VAR_DIR": str(var)}
    # The jobserver of an outer make must not be inherited.
    inherited = application.make_run_environment()
    environment = {name: value for name, value in inherited.items() if name not in ("MAKEFLAGS", "MFLAGS")}
    output = var.with_suffix(".txt")
    with output.open("w") as log:
        began = time.perf_counter()
        make = subprocess.Popen(
            ["make", "run"], cwd=project, env=environment | settings, stdout=log, stderr=log, process_group=0
        )
    try:
        while not _responds(port):
            if make.poll() is not None or time.perf_counter() - began > MAX_SECONDS:
                raise RuntimeError(output.read_text()[-2000:])
            time.sleep(0.02)
        return time.perf_counter() - began
    finally:
        _stop(make, var)


def _responds(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/sign-in", timeout=5).ok
    except requests.RequestException:
        return False


def _stop(make: subprocess.Popen, var: Path) -> None:
    """Stops the whole process group, like Ctrl-C in a terminal."""
    if make.poll() is None:
        os.killpg(make.pid, 2)
    make.wait(60)
    application.remove_redis_socket(var)
