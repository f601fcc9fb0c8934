"""SIGALRM at a moment of CLOCK_BOOTTIME, by a POSIX timer: setitimer(2) and Python know only clocks that stand still
while the machine is suspended.

A deadline that passes during a suspend expires when the kernel resumes its timers, which it does before it thaws the
processes.
"""

import ctypes
import os
import signal
import time
from typing import ClassVar

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


def set_at(deadline: float) -> None:
    """Has the kernel send this process SIGALRM at `deadline` (clock.boottime()). Calling again moves it."""
    # Zero would switch the timer off: a deadline that has passed is due at once.
    value = divmod(max(round(deadline * 1e9), 1), 10**9)
    if _libc.timer_settime(_timer(), _TIMER_ABSTIME, ctypes.byref(_Itimerspec((0, 0), value)), None) != 0:
        raise OSError(ctypes.get_errno(), "timer_settime")


def _timer() -> ctypes.c_void_p:
    pid = os.getpid()
    if pid not in _timers:
        timer, event = ctypes.c_void_p(), _Sigevent(None, signal.SIGALRM, 0)
        if _libc.timer_create(time.CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(timer)) != 0:
            raise OSError(ctypes.get_errno(), "timer_create")
        _timers.clear()
        _timers[pid] = timer
    return _timers[pid]
