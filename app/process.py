"""Processes of one machine: a supervisor that keeps children alive, and the kernel's help against leftovers.

Linux only. Nothing heavy is imported here: the supervisor forks, so it stays small and without threads.
"""

import ctypes
import hashlib
import math
import os
import secrets
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app import alarm

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

# malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: int | bytes) -> None:
    value = ctypes.c_char_p(argument) if isinstance(argument, bytes) else ctypes.c_ulong(argument)
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def give_memory_back() -> None:
    """Has glibc keep little of what is freed: few arenas, and large blocks always by mmap, which ends with free().

    By default each of a process's first threads gets an arena of its own (8 a core), and the first large block that is
    freed raises the size up to which later ones stay in an arena: argon2's 19 MiB would never be given back.
    """
    if hasattr(_libc, "mallopt"):  # musl has none, and no arenas
        _libc.mallopt(_M_ARENA_MAX, 2)
        _libc.mallopt(_M_MMAP_THRESHOLD, 4 << 20)  # above the blocks that uploads go through
        _libc.mallopt(_M_TRIM_THRESHOLD, 4 << 20)


def die_with_parent(parent: int, signum: int = signal.SIGKILL) -> None:
    """Has the kernel send `signum` to this process when its parent dies. To be called first thing after a fork.

    `parent` is the pid that forked: it may have died before the kernel was told, and then nobody would send anything.
    Survives exec; a fork of this process has to call it again.
    """
    _prctl(_PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def kill_self_at(deadline: float) -> None:
    """Has the kernel end this process at `deadline` (clock.boottime()). Calling again moves the deadline.

    For a work horse whose lease ends: from that moment another may do its work, so it must not send another byte.
    A check in Python cannot promise that: the process may have been stopped (SIGSTOP, a debugger, a frozen container)
    between the check and the send. The timer's SIGALRM has its default action, so the kernel ends the process without
    asking Python; a signal that fell due while the process was stopped is delivered before its next instruction.

    It takes SIGALRM from whoever had it: an RQ job that uses this runs with job_timeout=-1.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    alarm.set_at(deadline)


def _machine() -> str:
    """Names this boot of this kernel and, in a container, its own numbering of processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        numbering = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return secrets.token_hex(8)  # who cannot be named is not known to be dead either
    return hashlib.sha256(f"{socket.gethostname()} {boot} {numbering}".encode()).hexdigest()[:16]


MACHINE = _machine()


def process_identity(pid: int) -> str | None:
    """`machine:pid:start`, which no other process ever has. None when there is no such process, or only its remains."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the third field is the state, the 22nd the time when it started
    return None if facts[0] in "ZX" else f"{MACHINE}:{pid}:{facts[19]}"


def has_ended(name: str) -> bool:
    """Whether the process of that full name has ended for certain. Of other machines nothing is known: False."""
    machine, pid, _start = name.split(":")
    return machine == MACHINE and process_identity(int(pid)) != name


def is_running(name: str) -> bool:
    """Whether another process of this machine has that full name, and is not stopped."""
    machine, pid, _start = name.split(":")
    own = int(pid) == os.getpid()
    return machine == MACHINE and not own and process_identity(int(pid)) == name and not is_stopped(int(pid))


def is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass
class Child:
    """One process to keep alive.

    `target` runs in the child after the fork, `before` in the supervisor before the first one. `ready` tells when the
    next child may start. A child that runs `once` ends by itself, well, before the next starts. `last` outlives all
    others at the end: they need it to finish.
    """

    name: str
    target: Callable[[], object]
    ready: Callable[[], bool] | None = None
    before: Callable[[], object] | None = None
    once: bool = False
    last: bool = False
    grace: float = 10.0
    log: Path | None = None

    pid: int = 0  # 0: not running
    status: int | None = None  # of the last run, once it has ended
    started: float = 0.0
    due: float = math.inf
    delay: float = 0.0


class CannotStart(Exception):
    """A child did not come up. The text is for a person."""

    def __init__(self, child: Child, what: str) -> None:
        super().__init__(f"{child.name}: {what}{_where(child)}")
        self.child = child


class Supervisor:
    """Forks children, starts again what dies, and ends everything on one SIGINT or SIGTERM.

    Signals are blocked and taken by sigtimedwait(), so the one thread never runs a handler in the middle of something.
    Each child leads a process group of its own: a terminal's Ctrl-C reaches the supervisor alone. Orphans of a dead
    child come to the supervisor (it is a subreaper) and are killed, so a restart never meets its predecessor's rest.
    """

    FIRST_DELAY, LONGEST_DELAY, HEALTHY_AFTER, RENEWED_AFTER = 0.2, 10.0, 30.0, 10.0

    def __init__(self, say: Callable[[str], None], start_within: float = 60.0) -> None:
        self._say = say
        self._start_within = start_within
        self._children: list[Child] = []
        self._stops = 0
        self._signals = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup: the terminal may close
            self._signals.add(signal.SIGHUP)

    def add(self, child: Child) -> None:
        self._children.append(child)

    def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Starts all in order, calls `started`, and returns when a signal asked to stop and all have ended.

        Raises CannotStart when a child with `ready` or `once` does not come up; nothing is left running then either.
        """
        inherited = signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        try:
            for child in self._children:
                self._bring_up(child)
            if not self._stops:
                started()
            while not self._stops:
                self._restart_dead()
                self._wait(min(child.due for child in self._children) - time.monotonic())
        finally:
            self._stop_all()
            signal.pthread_sigmask(signal.SIG_SETMASK, inherited)

    def _bring_up(self, child: Child) -> None:
        if self._stops:
            return
        if child.before:
            child.before()
        self._fork(child)
        give_up = time.monotonic() + self._start_within
        while not self._stops and not self._is_up(child):
            if child.status is not None:
                raise CannotStart(child, _how(child.status))
            if time.monotonic() > give_up:
                raise CannotStart(child, f"не готов за {self._start_within:.0f} с")
            self._restart_dead(but=child)
            self._wait(0.05)

    def _is_up(self, child: Child) -> bool:
        if child.once:
            return child.status == 0
        return child.ready is None or (child.status is None and child.ready())

    def _restart_dead(self, but: Child | None = None) -> None:
        for child in self._children:
            if child is but or child.once or child.status is None:
                continue
            if child.due == math.inf:
                self._plan_restart(child)
            elif child.due <= time.monotonic():
                self._fork(child)

    def _plan_restart(self, child: Child) -> None:
        lived = time.monotonic() - child.started
        if child.status == 0 and lived > self.RENEWED_AFTER:  # it has ended by itself, to be renewed
            child.due = time.monotonic()
            return
        healthy = lived > self.HEALTHY_AFTER
        child.delay = self.FIRST_DELAY if healthy or not child.delay else min(child.delay * 2, self.LONGEST_DELAY)
        child.due = time.monotonic() + child.delay
        self._say(f"{child.name}: {_how(child.status)}, снова через {child.delay:.1f} с{_where(child)}")

    def _fork(self, child: Child) -> None:
        sys.stdout.flush()  # or the child would print what is still in the buffer a second time
        sys.stderr.flush()
        child.due, child.status, child.started = math.inf, None, time.monotonic()
        parent = os.getpid()
        child.pid = os.fork()
        if child.pid == 0:
            _live(child, parent, self._signals)

    def _wait(self, seconds: float) -> None:
        """Sleeps until a signal or for `seconds`, and takes note of who died."""
        arrived = signal.sigtimedwait(self._signals, min(max(seconds, 0), 3600))
        if arrived and arrived.si_signo != signal.SIGCHLD:
            self._stops += 1
        for pid, status in _deaths():
            self._note_death(pid, status)

    def _note_death(self, pid: int, status: int) -> None:
        for child in self._children:
            if child.pid == pid:
                child.pid, child.status = 0, os.waitstatus_to_exitcode(status)
        self._kill_orphans()

    def _kill_orphans(self) -> None:
        known = {child.pid for child in self._children}
        for pid in _children_of_this_process() - known:
            os.kill(pid, signal.SIGKILL)  # ours until it is waited for: the pid cannot have gone to another

    def _stop_all(self) -> None:
        for last in (False, True):
            alive = [child for child in self._children if child.pid and child.last == last]
            for child in alive:
                os.kill(child.pid, signal.SIGTERM)
            asked, stops = time.monotonic(), self._stops
            while any(child.pid for child in alive):
                for child in alive:
                    # A second Ctrl-C says that somebody does not want to wait.
                    if child.pid and (time.monotonic() - asked > child.grace or self._stops > max(stops, 1)):
                        os.kill(child.pid, signal.SIGKILL)
                self._wait(0.1)
        while _children_of_this_process():
            self._kill_orphans()
            self._wait(0.05)


def _live(child: Child, parent: int, signals: set[signal.Signals]) -> None:
    """The child's whole life. Never returns: the code that forked belongs to the parent."""
    code = 1
    try:
        die_with_parent(parent)
        os.setpgid(0, 0)
        _prctl(_PR_SET_NAME, child.name.encode()[:15])
        for signum in signals:
            signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if child.log:
            log = os.open(child.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.stdout.reconfigure(line_buffering=True)
        child.target()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
    except BaseException:  # noqa: BLE001 - whatever it is, it must not climb into the parent's code
        traceback.print_exc()
    finally:
        with suppress(OSError):  # nobody reads any more, or the disk is full: it ends all the same
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _children_of_this_process() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def _deaths() -> Iterator[tuple[int, int]]:
    """Pid and wait status of each child that has ended."""
    while _children_of_this_process():
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        yield pid, status


def _how(status: int | None) -> str:
    if status is not None and status < 0:
        return f"завершён сигналом {signal.Signals(-status).name}"
    return f"завершился с кодом {status}"


def _where(child: Child) -> str:
    return f" (журнал: {child.log})" if child.log else ""
