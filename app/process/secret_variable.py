"""A secret that came by the environment leaves it for good, and the environments of other processes that still hold it.

Linux keeps the environment that a program was started with in its memory and in /proc/PID/environ, whatever it does to
`os.environ`, and every fork has a copy. Only another exec ends that.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn


def take(name: str) -> int | None:
    """Moves the variable into a file that lies in the kernel's memory alone, and returns its descriptor, for `read`.

    None where it is not set. If it is, this program is executed again, with the same arguments and pid: to be called
    before anything slow. A process that does not read the file never has its text in its memory.
    """
    handed_on = f"{name}_DESCRIPTOR"
    if name in os.environ:
        descriptor = os.memfd_create(name)
        os.write(descriptor, os.environ[name].encode())
        os.set_inheritable(descriptor, True)
        execute_again_without(name, {handed_on: str(descriptor)})
    if handed_on not in os.environ:
        return None
    descriptor = int(os.environ.pop(handed_on))
    os.set_inheritable(descriptor, False)
    return descriptor


def execute_again_without(name: str, more: dict[str, str]) -> NoReturn:
    """The same program, arguments and pid; `more` is added to the environment."""
    environ = {other: value for other, value in os.environ.items() if other != name}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environ | more)


def read(descriptor: int) -> str:
    """The text, and closes the file: each fork has a descriptor of its own."""
    try:
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode()
    finally:
        os.close(descriptor)


def holders(name: str) -> list[int]:
    """The pids of this process and of those above it that were started with the variable, as far as they can be read.

    What this process can read there, a thief in it can too.
    """
    return [pid for pid in _lineage(os.getpid()) if _was_started_with(pid, name)]


def _lineage(pid: int) -> Iterator[int]:
    while pid:
        yield pid
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return  # it has ended, or is outside of what a container sees
        pid = int(stat.rpartition(")")[2].split()[1])


def _was_started_with(pid: int, name: str) -> bool:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return any(len(line) > len(name) + 1 and line.startswith(f"{name}=".encode()) for line in environ.split(b"\0"))
