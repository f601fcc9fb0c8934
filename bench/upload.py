"""Sending a clip by our FileBody and Http, compared with curl with the same file and sink."""

import multiprocessing
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.platforms.http.body import FileBody, Multipart
from app.platforms.http.client import Http
from bench.harness import (
    MB,
    Figure,
    Skip,
    at_least,
    folder,
    format_number,
    interleaved,
    progress,
    reset_peak_rss,
    rss,
    timed,
)
from bench.sink import Certificate, certificate, sink
from tests.clips import write_big

TITLE = "Отправка клипа"
PROFILE = """
Профиль: процессор почти весь в ядре и в шифре. PUT без TLS шёл в 0,8 от curl, пока блок отдавали ломтями по 128 КиБ;
теперь `send` берёт, сколько влезет, и срок ожидания у каждого раза свой.
"""
MAX_MEMORY = 40 * MB
# As in the browser; YouTube and TikTok accept it too.
CHUNK = 16 << 20


@dataclass(frozen=True)
class Method:
    name: str
    ours: Callable[[Path, str, str], None]  # clip, address, certificate's file
    curl: Callable[[Path, str], list[str]]
    beside: str


def run(small: bool) -> Iterator[Figure]:
    if shutil.which("curl") is None:
        raise Skip("нужен curl: apt install curl")
    size, turns = (50 * MB, 2) if small else (500 * MB, 5)
    with folder() as work:
        clip = write_big(work / "clip.mp4", size)
        clip.write_bytes(clip.read_bytes())  # without holes, which some file systems read faster than data
        for own in (None, certificate(work)):
            with sink(own) as address:
                for method in METHODS:
                    yield _compare(method, clip, address, own, turns)
        with sink() as address:
            yield _memory(clip, address)


def _compare(method: Method, clip: Path, address: str, own: Certificate | None, turns: int) -> Figure:
    name = f"{method.name}, {'TLS' if own else 'без TLS'}"
    trusted = str(own.file) if own else ""
    # curl's own time, without the start of its process.
    curl = ["curl", "--silent", "--show-error", "--fail", "--output", os.devnull, "--write-out", "%{time_total}"]
    curl += ["--cacert", trusted] if own else []
    ours, beside = interleaved(
        turns,
        lambda: timed(lambda: method.ours(clip, address, trusted)),
        lambda: float(subprocess.check_output([*curl, *method.curl(clip, address)])),
    )
    size = clip.stat().st_size
    progress(f"{name}: {format_number(beside / ours)} ×")
    return Figure(
        f"{size // MB} МБ: {name}",
        method.beside,
        f"{size / ours / MB:.0f} МБ/с",
        f"{size / beside / MB:.0f} МБ/с",
        **at_least(beside / ours, 0.95),
    )


def _memory(clip: Path, address: str) -> Figure:
    """Measures, in a fork like a work horse, how much memory an upload adds."""
    receiving, sending = multiprocessing.Pipe(duplex=False)

    def work_horse() -> None:
        Http()
        idle = rss()
        reset_peak_rss()
        _multipart(clip, address, "")
        sending.send((idle, rss(field="VmHWM")))

    process = multiprocessing.get_context("fork").Process(target=work_horse)
    process.start()
    process.join()
    idle, peak = receiving.recv()
    return Figure(
        "Память отправляющего процесса (пик RSS)",
        "он же без дела",
        f"{peak / MB:.0f} МБ",
        f"{idle / MB:.0f} МБ",
        ratio=f"+{(peak - idle) / MB:.0f} МБ",
        target=f"≤ +{MAX_MEMORY // MB} МБ",
        met=peak - idle <= MAX_MEMORY,
    )


# The methods, with progress callback and withheld last block, as in a publication.


def _ignore(*_args: object) -> None:
    pass


def _multipart(clip: Path, address: str, trusted: str) -> None:
    fields, hooks = {"chat_id": "1", "caption": "Закат"}, {"on_block": _ignore, "before_last": _ignore}
    with clip.open("rb") as file:
        body = Multipart(fields, "video", "clip.mp4", "video/mp4", file, clip.stat().st_size, **hooks)
        _send(_http(address), "POST", f"{address}/multipart", body, body.headers, trusted)


def _put(clip: Path, address: str, trusted: str) -> None:
    with clip.open("rb") as file:
        body = FileBody(file, clip.stat().st_size, on_block=_ignore, before_last=_ignore)
        _send(_http(address), "PUT", f"{address}/put", body, {"Content-Type": "video/mp4"}, trusted)


def _chunks(clip: Path, address: str, trusted: str) -> None:
    http, size = _http(address), clip.stat().st_size
    with clip.open("rb") as file:
        for start in range(0, size, CHUNK):
            length = min(CHUNK, size - start)
            body = FileBody(file, length, on_block=_ignore)
            content_range = {"Content-Range": f"bytes {start}-{start + length - 1}/{size}"}
            _send(http, "PUT", f"{address}/chunks", body, content_range, trusted)


def _http(address: str) -> Http:
    http = Http()
    http.allow([address])
    return http


def _send(http: Http, method: str, url: str, body: FileBody, headers: dict[str, str], trusted: str) -> None:
    response = http.request(method, url, data=body, headers=headers, verify=trusted or True)
    if response.status != 200:
        raise RuntimeError(f"the sink returned {response.status}")


METHODS = (
    Method("форма (multipart)", _multipart, lambda clip, url: ["-F", f"video=@{clip}", f"{url}/multipart"], "curl -F"),
    Method("PUT целиком", _put, lambda clip, url: ["-T", str(clip), f"{url}/put"], "curl -T"),
    Method("PUT частями по 16 МиБ", _chunks, lambda clip, url: ["-T", str(clip), f"{url}/put"], "curl -T целиком"),
)
