"""Shared by all benches: figures, a temporary folder, timing, a description of the machine."""

import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MB = 1_000_000


class Skip(Exception):
    """The bench cannot run here. The text is one line: the reason and what to do."""


@dataclass(frozen=True)
class Figure:
    """A row of the table. Texts are Russian, with units; `met` is None for a figure without a target."""

    what: str
    against: str
    ours: str
    beside: str
    ratio: str
    target: str
    met: bool | None


def progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


@contextmanager
def folder() -> Iterator[Path]:
    """Yields a temporary folder on the disk of the project: /tmp may be in memory."""
    parent = ROOT / "var" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def timed(work: Callable[[], object]) -> float:
    """Returns the seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def interleaved(times: int, *works: Callable[[], float]) -> list[float]:
    """Returns the median result of each. They take turns, so that other load affects all alike."""
    results = [[work() for work in works] for _ in range(times)]
    return [statistics.median(column) for column in zip(*results, strict=True)]


def percentile(values: Sequence[float], percent: float) -> float:
    """Returns the smallest value that at least `percent` % of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]


def wait_for(true: Callable[[], object], within: float, every: float = 0.01, what: str = "") -> float:
    """Waits until `true()` holds; returns the seconds. Raises TimeoutError."""
    began = time.perf_counter()
    while not true():
        if time.perf_counter() - began > within:
            raise TimeoutError(f"не дождались за {within:.0f} с: {what}")
        time.sleep(every)
    return time.perf_counter() - began


def rss(pid: int | str = "self", field: str = "VmRSS") -> int:
    """Returns bytes; `field` VmHWM is the peak."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    raise ProcessLookupError(pid)


def reset_peak_rss(pid: int | str = "self") -> None:
    """Resets VmHWM: proc(5), clear_refs."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def machine() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    cores = len(os.sched_getaffinity(0))
    return f"ядер: {cores}, памяти: {total:.0f} ГиБ, Python {platform.python_version()}, {platform.system()}"


def format_number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace(".", ",")


def at_least(ratio: float, target: float) -> dict[str, object]:
    """Returns the last three fields of a figure with a minimum ratio."""
    return {"ratio": f"{format_number(ratio)} ×", "target": f"≥ {format_number(target)} ×", "met": ratio >= target}


def at_most(ratio: float, target: float) -> dict[str, object]:
    return {"ratio": f"{format_number(ratio)} ×", "target": f"≤ {format_number(target, 1)} ×", "met": ratio <= target}
