"""What a forked process allocates does not copy its parent's pages."""

import os
import subprocess
import sys

from tests.procfile import ROOT

# Holes of 200 bytes, each in a page that is otherwise in use. The child's own objects fit into them.
PROGRAM = """
import os, sys
from app.process.heap import fill_holes

held, free = [], []
for _ in range(4000):
    held.append(bytes(3800))
    free.append(bytes(200))
del free
if sys.argv[1] == "filled":
    print(fill_holes())
    sys.stdout.flush()
if os.fork() == 0:
    own = [bytes(200) for _ in range(4000)]
    print(next(line.split()[1] for line in open("/proc/self/smaps_rollup") if line.startswith("Private_Dirty:")))
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""


def numbers(how: str, **environment: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return list(map(int, done.stdout.split()))


def test_a_child_allocates_behind_all_that_its_parent_holds():
    [copied] = numbers("as it is", PYTHONMALLOC="malloc")
    taken, own = numbers("filled", PYTHONMALLOC="malloc")
    assert taken >= 4000 * 200
    assert own < copied / 3


def test_pythons_own_allocator_is_left_alone():
    assert numbers("filled")[0] == 0
