"""`python -m bench [--small] [NAME…]`: runs benches, one process each, and writes their sections of docs/benchmarks.md.

`--small` tries everything with small sizes, prints what it found and writes nothing.
"""

import importlib
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from bench import report
from bench.harness import Figure, Skip, folder

BENCHES = ("upload", "tus", "click", "schedule", "parallel", "fairness", "pages", "growth", "memory", "start")
LONGEST_SECONDS = 300
MORE_SECONDS = {"growth": 600}  # it fills two databases with a million rows


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--one"]:
        return one(arguments[1], Path(arguments[2]), small="--small" in arguments)
    small, wanted = "--small" in arguments, [name for name in arguments if name != "--small"]
    strangers = set(wanted) - set(BENCHES)
    if strangers:
        print(f"Нет замера {', '.join(sorted(strangers))}. Есть: {', '.join(BENCHES)}.", file=sys.stderr)
        return 2
    began, failed, sections = time.monotonic(), [], []
    with folder() as work:
        for name in wanted or BENCHES:
            print(f"{name}…", file=sys.stderr, flush=True)
            section = measure(name, work / f"{name}.json", small)
            if section is None:
                failed.append(name)
            else:
                sections.append(section)
                print(report.text(section))
    if not small:
        report.write(sections, BENCHES)
    print(f"Всего {time.monotonic() - began:.0f} с.", file=sys.stderr)
    if failed:
        print(f"Не удалось: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def measure(name: str, answer: Path, small: bool) -> report.Section | None:
    """In a process of its own: settings, memory and whatever it breaks stay there."""
    command = [sys.executable, "-m", "bench", "--one", name, str(answer), *(["--small"] if small else [])]
    longest = MORE_SECONDS.get(name, LONGEST_SECONDS)
    try:
        subprocess.run(command, check=True, timeout=longest)
    except subprocess.TimeoutExpired:
        print(f"  прервано: дольше {longest} с", file=sys.stderr)
        return None
    except subprocess.CalledProcessError:
        return None
    found = json.loads(answer.read_text())
    module = importlib.import_module(f"bench.{name}")
    figures = [Figure(**figure) for figure in found["figures"]]
    return report.Section(name, module.TITLE, module.PROFILE, figures, found["skipped"])


def one(name: str, answer: Path, small: bool) -> int:
    figures, skipped = [], ""
    try:
        for figure in importlib.import_module(f"bench.{name}").run(small):
            figures.append(asdict(figure))
    except Skip as reason:
        skipped = str(reason)
    answer.write_text(json.dumps({"figures": figures, "skipped": skipped}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
