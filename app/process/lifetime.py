"""How long a process lives and how much memory it keeps: what the kernel and glibc are asked for. Linux only."""

import ctypes
import os
import signal

from app.process import alarm

# linux/prctl.h
_PR_SET_PDEATHSIG = 1

# malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, argument: int | bytes) -> None:
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

    It takes over SIGALRM: an RQ job that uses this runs with job_timeout=-1.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    alarm.set_at(deadline)
