"""Receiving a clip by tus, compared with an endpoint of the same gunicorn that only writes a file."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import requests
from tusclient.client import TusClient

from bench import application
from bench.application import Session
from bench.harness import (
    MB,
    ROOT,
    Figure,
    at_least,
    folder,
    format_number,
    interleaved,
    progress,
    reset_peak_rss,
    rss,
    timed,
    wait_for,
)
from tests.clips import write_big

# Defined in bench.endpoint, which is not imported because that creates the application.
BASELINE = "/bench/baseline"
TITLE = "Приём клипа"
PROFILE = """
Профиль: сверх голого конца шли fsync (теперь его ждёт работник, прежде чем клип «Готов», `docs/decisions/0010`), две
лишние копии тела и запись срока в базу на каждую часть. Осталось 2 мс на часть: вход, CSRF, запрос, журнал.
"""
CHUNK = 16 << 20  # as in the page's script
BLOCK = 256 << 10  # the fastest block size of the baseline endpoint
MAX_MEMORY = 40 * MB


def run(small: bool) -> Iterator[Figure]:
    size, turns = (50 * MB, 2) if small else (500 * MB, 5)
    with folder() as work:
        app = application.application(work / "var")
        url = app.config["PUBLIC_URL"]
        clip = write_big(work / "clip.mp4", size)
        clip.write_bytes(clip.read_bytes())
        web = _serve(app.config["PORT"], work / "gunicorn.txt")
        try:
            wait_for(lambda: _responds(url), 60, 0.1, "gunicorn")
            yield from _compare(url, web.pid, clip, work / "var", turns)
        finally:
            web.terminate()
            web.wait()
            application.remove_redis_socket(work / "var")


def _serve(port: int, output: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--bind", f"127.0.0.1:{port}"]
    with output.open("w") as log:
        return subprocess.Popen([*command, "bench.endpoint:application"], cwd=ROOT, stdout=log, stderr=log)


def _responds(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).ok
    except requests.RequestException:
        return False


def _compare(url: str, master: int, clip: Path, var: Path, turns: int) -> Iterator[Figure]:
    session = Session(url)
    header = application.sign_in(session)
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
    tus = TusClient(f"{url}/uploads", headers={**header, "Cookie": cookies})

    size = clip.stat().st_size

    def ours(chunk: int) -> float:
        seconds = timed(lambda: tus.uploader(str(clip), chunk_size=chunk, metadata={"filename": "clip.mp4"}).upload())
        [received] = [path for path in (var / "clips").rglob("*") if path.is_file()]
        if received.stat().st_size != size:
            raise RuntimeError("the application lost bytes")
        received.unlink()  # like the baseline: memory that a virtual machine has never touched is slow to allocate
        return seconds

    def baseline(chunk: int, query: str) -> float:
        seconds = timed(lambda: _send(f"{url}{BASELINE}?{query}", clip, chunk))
        if (var / "baseline").stat().st_size != size:
            raise RuntimeError("the baseline endpoint lost bytes")
        (var / "baseline").unlink()
        return seconds

    [worker] = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    idle = rss(worker)
    reset_peak_rss(worker)
    ours(CHUNK)
    peak = rss(worker, "VmHWM")
    for what, beside, chunk, query in (
        ("частями по 16 МиБ", "те же части, тот же gunicorn, copyfileobj в файл", CHUNK, ""),
        ("целиком", f"целиком, тот же gunicorn, блоки по {BLOCK >> 10} КиБ", size, str(BLOCK)),
    ):
        our_seconds, baseline_seconds = interleaved(turns, partial(ours, chunk), partial(baseline, chunk, query))
        progress(f"{what}: {format_number(baseline_seconds / our_seconds)} ×")
        yield Figure(
            f"{size // MB} МБ по tus (tuspy) {what}",
            beside,
            f"{size / our_seconds / MB:.0f} МБ/с",
            f"{size / baseline_seconds / MB:.0f} МБ/с",
            **at_least(baseline_seconds / our_seconds, 0.8),
        )
    yield Figure(
        "Память веб-процесса при приёме (пик RSS)",
        "он же без дела",
        f"{peak / MB:.0f} МБ",
        f"{idle / MB:.0f} МБ",
        ratio=f"+{(peak - idle) / MB:.0f} МБ",
        target=f"≤ +{MAX_MEMORY // MB} МБ",
        met=peak - idle <= MAX_MEMORY,
    )


def _send(url: str, clip: Path, chunk: int) -> None:
    """Sends like tuspy: each part is read whole and sent in a request."""
    with clip.open("rb") as file:
        while part := file.read(chunk):
            requests.patch(url, data=part, timeout=60).raise_for_status()
