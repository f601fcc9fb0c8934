"""How long a process lives and how much memory it keeps: what the kernel and glibc are asked for. Linux only."""

import ctypes
import os
import resource
import signal
import time
from typing import ClassVar

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38

# malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_TIMER_ABSTIME = 1  # time.h

_libc = ctypes.CDLL(None, use_errno=True)


class _Sigevent(ctypes.Structure):
    """sigevent(3type): a signal to the process. The rest of its 64 bytes is for other ways of notifying."""

    _fields_: ClassVar = [
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_byte * 48),
    ]


class _Itimerspec(ctypes.Structure):
    """itimerspec(3type): seconds and nanoseconds."""

    _fields_: ClassVar = [("interval", ctypes.c_long * 2), ("value", ctypes.c_long * 2)]


# By the process that made it: a fork has none of its parent's timers.
_timers: dict[int, ctypes.c_void_p] = {}


def _call(name: str, *arguments: object) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


def prctl(option: int, argument: int | bytes, second: int = 0) -> None:
    value = ctypes.c_char_p(argument) if isinstance(argument, bytes) else ctypes.c_ulong(argument)
    _call("prctl", option, value, ctypes.c_ulong(second), 0, 0)


def forbid_new_privileges() -> None:
    """From now on no program that this process executes gets more rights than it has (setuid)."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def write_no_core_files() -> None:
    """Its memory is never written to the disk, nor that of its children. In what the kernel hands to a program instead
    (core_pattern) only `forbid_memory_reads` keeps it from being.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def forbid_memory_reads() -> None:
    """No other process of this user may read this one's memory or environment, trace it, or take its descriptors.

    Its forks inherit that; exec ends it. Only root can read its files in /proc, but for those that all may (stat).
    """
    prctl(_PR_SET_DUMPABLE, 0)


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

    `parent` is the pid that forked: it may have died before this call, and then no signal would come.
    Survives exec; a fork of this process has to call it again.
    """
    prctl(_PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def kill_self_at(deadline: float) -> None:
    """Has the kernel end this process at `deadline` (clock.boottime()). Calling again moves the deadline.

    For a work horse whose lease ends: from that moment another may do its work, so it must not send another byte.
    A check in Python cannot promise that: the process may have been stopped (SIGSTOP, a debugger, a frozen container)
    between the check and the send. The timer's SIGALRM has its default action, so the kernel ends the process without
    asking Python; a signal that fell due while the process was stopped is delivered before its next instruction.

    A POSIX timer of CLOCK_BOOTTIME: setitimer(2) knows only clocks that stand still while the machine is suspended. A
    deadline that passes during a suspend expires before the kernel thaws the processes.

    It takes over SIGALRM: an RQ job that uses this runs with job_timeout=-1.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    # Zero would switch the timer off: a deadline that has passed is due at once.
    value = divmod(max(round(deadline * 1e9), 1), 10**9)
    _call("timer_settime", _timer(), _TIMER_ABSTIME, ctypes.byref(_Itimerspec((0, 0), value)), None)


def _timer() -> ctypes.c_void_p:
    pid = os.getpid()
    if pid not in _timers:
        timer, event = ctypes.c_void_p(), _Sigevent(None, signal.SIGALRM, 0)
        _call("timer_create", time.CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(timer))
        _timers.clear()
        _timers[pid] = timer
    return _timers[pid]
