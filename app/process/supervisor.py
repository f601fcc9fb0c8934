"""A supervisor that keeps a machine's processes alive. Linux only.

Nothing heavy is imported here: the supervisor forks, so it stays small and without threads.
"""

import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.process.lifetime import die_with_parent, prctl

# linux/prctl.h
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Child:
    """One process to keep alive.

    `target` runs in the child after the fork, `before` in the supervisor before the first one. The next child starts
    once `ready` is true. A child that runs `once` ends by itself, well, before the next starts. `last` outlives all
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
    """A child did not come up. The text is for the operator."""

    def __init__(self, child: Child, what: str) -> None:
        super().__init__(f"{child.name}: {what}{_where(child)}")
        self.child = child


class Supervisor:
    """Forks children, restarts those that end, and ends everything on one SIGINT or SIGTERM.

    Signals are blocked and taken by sigtimedwait(), so the one thread never runs a handler in the middle of something.
    Each child leads a process group of its own: a terminal's Ctrl-C reaches the supervisor alone. Orphans of a
    child that ended come to the supervisor (it is a subreaper) and are killed: a restart never meets them.
    """

    FIRST_DELAY, LONGEST_DELAY, HEALTHY_AFTER, RENEWED_AFTER = 0.2, 10.0, 30.0, 10.0

    def __init__(self, log: Callable[[str], None], start_within: float = 60.0) -> None:
        self._log = log
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
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
        try:
            for child in self._children:
                self._bring_up(child)
            if not self._stops:
                started()
            while not self._stops:
                self._restart_ended()
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
            self._restart_ended(but=child)
            self._wait(0.05)

    def _is_up(self, child: Child) -> bool:
        if child.once:
            return child.status == 0
        return child.ready is None or (child.status is None and child.ready())

    def _restart_ended(self, but: Child | None = None) -> None:
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
        self._log(f"{child.name}: {_how(child.status)}, снова через {child.delay:.1f} с{_where(child)}")

    def _fork(self, child: Child) -> None:
        sys.stdout.flush()  # or the child would print what is still in the buffer a second time
        sys.stderr.flush()
        child.due, child.status, child.started = math.inf, None, time.monotonic()
        parent = os.getpid()
        child.pid = os.fork()
        if child.pid == 0:
            _live(child, parent, self._signals)

    def _wait(self, seconds: float) -> None:
        """Sleeps until a signal or for `seconds`, and notes which children have ended."""
        arrived = signal.sigtimedwait(self._signals, min(max(seconds, 0), 3600))
        if arrived and arrived.si_signo != signal.SIGCHLD:
            self._stops += 1
        while _children_of_this_process():
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            for child in self._children:
                if child.pid == pid:
                    child.pid, child.status = 0, os.waitstatus_to_exitcode(status)
            self._kill_orphans()

    def _kill_orphans(self) -> None:
        known = {child.pid for child in self._children}
        for pid in _children_of_this_process() - known:
            os.kill(pid, signal.SIGKILL)  # ours until it is waited for: the pid cannot be another's yet

    def _stop_all(self) -> None:
        for last in (False, True):
            alive = [child for child in self._children if child.pid and child.last == last]
            for child in alive:
                os.kill(child.pid, signal.SIGTERM)
            asked, stops = time.monotonic(), self._stops
            while any(child.pid for child in alive):
                for child in alive:
                    # A second Ctrl-C: do not wait.
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
        prctl(_PR_SET_NAME, child.name.encode()[:15])
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
        with suppress(OSError):  # the pipe is closed, or the disk is full: it ends all the same
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _children_of_this_process() -> set[int]:
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def _how(status: int | None) -> str:
    if status is not None and status < 0:
        return f"завершён сигналом {signal.Signals(-status).name}"
    return f"завершился с кодом {status}"


def _where(child: Child) -> str:
    return f" (журнал: {child.log})" if child.log else ""
