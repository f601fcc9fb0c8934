"""What every bench is made of: figures, a work folder that goes away, and a machine's description."""

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
    """The bench cannot run here. The text is one line that says why and what to do."""


@dataclass(frozen=True)
class Figure:
    """One line of the table. All texts are Russian and hold their units; `met` is None where a figure is only told."""

    what: str
    against: str
    ours: str
    beside: str
    ratio: str
    target: str
    met: bool | None


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


@contextmanager
def folder() -> Iterator[Path]:
    """On the same disk as the project's own data: /tmp may be memory."""
    parent = ROOT / "var" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turns(times: int, *works: Callable[[], float]) -> list[float]:
    """The median answer of each; they take turns, so that what disturbs the machine disturbs all of them alike."""
    answers = [[work() for work in works] for _ in range(times)]
    return [statistics.median(column) for column in zip(*answers, strict=True)]


def percentile(values: Sequence[float], percent: float) -> float:
    """Of all values, the smallest that at least `percent` % do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]


def wait_for(true: Callable[[], object], within: float, every: float = 0.01, what: str = "") -> float:
    """Seconds until it came true. Raises TimeoutError."""
    began = time.perf_counter()
    while not true():
        if time.perf_counter() - began > within:
            raise TimeoutError(f"не дождались за {within:.0f} с: {what}")
        time.sleep(every)
    return time.perf_counter() - began


def rss(pid: int | str = "self", field: str = "VmRSS") -> int:
    """Bytes; `field` VmHWM for the highest it has been."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    raise ProcessLookupError(pid)


def forget_peak(pid: int | str = "self") -> None:
    """From here on VmHWM counts anew: proc(5), clear_refs."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def machine() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    cores = len(os.sched_getaffinity(0))
    return f"ядер: {cores}, памяти: {total:.0f} ГиБ, Python {platform.python_version()}, {platform.system()}"


def number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace(".", ",")


def at_least(ratio: float, target: float) -> dict[str, object]:
    """The last three fields of a figure that is to reach a ratio."""
    return {"ratio": f"{number(ratio)} ×", "target": f"≥ {number(target)} ×", "met": ratio >= target}


def at_most(ratio: float, target: float) -> dict[str, object]:
    return {"ratio": f"{number(ratio)} ×", "target": f"≤ {number(target, 1)} ×", "met": ratio <= target}
