"""Receiving a clip by tus, against an endpoint of the same gunicorn that only writes a file."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import requests
from tusclient.client import TusClient

from bench import application
from bench.application import Person
from bench.harness import MB, ROOT, Figure, at_least, folder, forget_peak, in_turns, number, rss, say, timed, wait_for
from tests.clips import write_big

# bench.endpoint serves it; importing that would make the application here and now.
BARE = "/bench/bare"
TITLE = "Приём клипа"
PROFILE = """
Профиль: сверх голого конца шли fsync (теперь его ждёт работник, прежде чем клип «Готов», `docs/decisions/0010`), две
лишние копии тела и запись срока в базу на каждую часть. Осталось 2 мс на часть: вход, CSRF, запрос, журнал.
"""
CHUNK = 16 << 20  # as the page sends them
BLOCK = 256 << 10  # with which the bare endpoint is fastest
MOST_MEMORY = 40 * MB


def run(small: bool) -> Iterator[Figure]:
    size, turns = (50 * MB, 2) if small else (500 * MB, 5)
    with folder() as work:
        app = application.application(work / "var")
        url = app.config["PUBLIC_URL"]
        clip = write_big(work / "clip.mp4", size)
        clip.write_bytes(clip.read_bytes())
        web = _serve(app.config["PORT"], work / "gunicorn.txt")
        try:
            wait_for(lambda: _answers(url), 60, 0.1, "gunicorn")
            yield from _compare(url, web.pid, clip, work / "var", turns)
        finally:
            web.terminate()
            web.wait()
            application.forget(work / "var")


def _serve(port: int, output: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--bind", f"127.0.0.1:{port}"]
    with output.open("w") as log:
        return subprocess.Popen([*command, "bench.endpoint:application"], cwd=ROOT, stdout=log, stderr=log)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).ok
    except requests.RequestException:
        return False


def _compare(url: str, master: int, clip: Path, var: Path, turns: int) -> Iterator[Figure]:
    someone = Person(url)
    header = application.sign_in(someone)
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in someone.cookies)
    tus = TusClient(f"{url}/uploads", headers={**header, "Cookie": cookies})

    size = clip.stat().st_size

    def ours(chunk: int) -> float:
        seconds = timed(lambda: tus.uploader(str(clip), chunk_size=chunk, metadata={"filename": "clip.mp4"}).upload())
        [came] = [path for path in (var / "clips").rglob("*") if path.is_file()]
        if came.stat().st_size != size:
            raise RuntimeError("the application lost bytes")
        came.unlink()  # as the bare endpoint's: memory that a virtual machine has never touched is slow to get
        return seconds

    def bare(chunk: int, query: str) -> float:
        seconds = timed(lambda: _send(f"{url}{BARE}?{query}", clip, chunk))
        if (var / "bare").stat().st_size != size:
            raise RuntimeError("the bare endpoint lost bytes")
        (var / "bare").unlink()
        return seconds

    [worker] = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    idle = rss(worker)
    forget_peak(worker)
    ours(CHUNK)
    peak = rss(worker, "VmHWM")
    for what, beside, chunk, query in (
        ("частями по 16 МиБ", "те же части, тот же gunicorn, copyfileobj в файл", CHUNK, ""),
        ("целиком", f"целиком, тот же gunicorn, блоки по {BLOCK >> 10} КиБ", size, str(BLOCK)),
    ):
        mine, theirs = in_turns(turns, partial(ours, chunk), partial(bare, chunk, query))
        say(f"{what}: {number(theirs / mine)} ×")
        yield Figure(
            f"{size // MB} МБ по tus (tuspy) {what}",
            beside,
            f"{size / mine / MB:.0f} МБ/с",
            f"{size / theirs / MB:.0f} МБ/с",
            **at_least(theirs / mine, 0.8),
        )
    yield Figure(
        "Память веб-процесса при приёме (пик RSS)",
        "он же без дела",
        f"{peak / MB:.0f} МБ",
        f"{idle / MB:.0f} МБ",
        ratio=f"+{(peak - idle) / MB:.0f} МБ",
        target=f"≤ +{MOST_MEMORY // MB} МБ",
        met=peak - idle <= MOST_MEMORY,
    )


def _send(url: str, clip: Path, chunk: int) -> None:
    """As tuspy sends: each part read whole, in a request of its own."""
    with clip.open("rb") as file:
        while part := file.read(chunk):
            requests.patch(url, data=part, timeout=60).raise_for_status()
