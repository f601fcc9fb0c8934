"""`python -m bench [--small] [NAME…]`: runs each bench in a process and writes its section of docs/benchmarks.md.

`--small` runs everything with small sizes, prints the results and writes nothing.
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

BENCHES = (
    "upload",
    "tus",
    "click",
    "schedule",
    "parallel",
    "fairness",
    "pages",
    "first_visit",
    "growth",
    "memory",
    "renditions",
    "start",
)
MAX_SECONDS = 300
# It fills two databases with a million rows; it writes 500 MB thirty times, and encodes.
MAX_SECONDS_OF = {"growth": 600, "renditions": 600}


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--one"]:
        return run_one(arguments[1], Path(arguments[2]), small="--small" in arguments)
    small, selected = "--small" in arguments, [name for name in arguments if name != "--small"]
    unknown = set(selected) - set(BENCHES)
    if unknown:
        print(f"Нет замера {', '.join(sorted(unknown))}. Есть: {', '.join(BENCHES)}.", file=sys.stderr)
        return 2
    began, failed, sections = time.monotonic(), [], []
    with folder() as work:
        for name in selected or BENCHES:
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


def measure(name: str, result_file: Path, small: bool) -> report.Section | None:
    """Runs a bench in a process, which isolates its settings, memory and failures."""
    command = [sys.executable, "-m", "bench", "--one", name, str(result_file), *(["--small"] if small else [])]
    max_seconds = MAX_SECONDS_OF.get(name, MAX_SECONDS)
    try:
        subprocess.run(command, check=True, timeout=max_seconds)
    except subprocess.TimeoutExpired:
        print(f"  прервано: дольше {max_seconds} с", file=sys.stderr)
        return None
    except subprocess.CalledProcessError:
        return None
    result = json.loads(result_file.read_text())
    module = importlib.import_module(f"bench.{name}")
    figures = [Figure(**figure) for figure in result["figures"]]
    return report.Section(name, module.TITLE, module.PROFILE, figures, result["skipped"])


def run_one(name: str, result_file: Path, small: bool) -> int:
    figures, skipped = [], ""
    try:
        for figure in importlib.import_module(f"bench.{name}").run(small):
            figures.append(asdict(figure))
    except Skip as reason:
        skipped = str(reason)
    result_file.write_text(json.dumps({"figures": figures, "skipped": skipped}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
