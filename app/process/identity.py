"""Names of processes that no other process ever has, and whether a process so named still runs."""

import hashlib
import os
import secrets
import socket
from pathlib import Path


def _machine() -> str:
    """Names this boot of this kernel and, in a container, its own numbering of processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        numbering = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return secrets.token_hex(8)  # of a process without an identity nothing is known, its end neither
    return hashlib.sha256(f"{socket.gethostname()} {boot} {numbering}".encode()).hexdigest()[:16]


MACHINE = _machine()


def process_identity(pid: int) -> str | None:
    """`machine:pid:start`, which no other process ever has. None when there is no such process, or only its remains."""
    facts = _facts(pid)
    if not facts or facts[0] in "ZX":
        return None
    return f"{MACHINE}:{pid}:{facts[19]}"  # the time when it started


def has_ended(identity: str) -> bool:
    """Whether that process has ended for certain. Of other machines nothing is known: False."""
    pid = _pid_here(identity)
    return pid is not None and process_identity(pid) != identity


def is_running(identity: str) -> bool:
    """Whether it is another process of this machine, and is not stopped."""
    pid = _pid_here(identity)
    return pid not in (None, os.getpid()) and process_identity(pid) == identity and not is_stopped(pid)


def _pid_here(identity: str) -> int | None:
    machine, pid, _start = identity.split(":")
    return int(pid) if machine == MACHINE else None


def is_stopped(pid: int) -> bool:
    return _facts(pid)[:1] == ["T"]


def _facts(pid: int) -> list[str]:
    """From the third field of proc(5)'s stat on, which is the state; none where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
