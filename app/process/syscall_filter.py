"""seccomp: a process keeps the system calls that computing and reading need, all others fail with EPERM.

No sockets, no processes, no signals to others, no look into their memory; no threads, and files are opened for reading
only, unless it is to make a file. linux/seccomp.h, linux/filter.h, seccomp(2). By hand: the package on PyPI (pyseccomp)
needs a library of the system that is not everywhere and is not kept.
"""

import ctypes
import errno
import os
import platform
import struct
from pathlib import Path

from app.process.lifetime import forbid_new_privileges, prctl

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2

# AUDIT_ARCH_… of linux/audit.h, and the place of a machine's numbers in the table below.
_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# asm/unistd_64.h of x86, asm-generic/unistd.h; None: the machine has no such call.
_ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # files that are open, and what is known of others
    "read": (0, 63),
    "pread64": (17, 67),
    "readv": (19, 65),
    "write": (1, 64),
    "writev": (20, 66),
    "lseek": (8, 62),
    "close": (3, 57),
    "fcntl": (72, 25),
    "stat": (4, None),
    "lstat": (6, None),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    # memory
    "brk": (12, 214),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "madvise": (28, 233),
    # this process
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "getrusage": (98, 165),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # time and chance
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "getrandom": (318, 278),
}
# What making a file needs too: to write anywhere in it, and threads.
_MAKING: dict[str, tuple[int | None, int | None]] = {
    "pwrite64": (18, 68),
    "ftruncate": (77, 46),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
}
# A thread of this process, never another process. Of clone3 a filter sees no flags: glibc then uses clone.
_CLONE, _CLONE_THREAD, _CLONE3 = (56, 220), 0x10000, (435, 435)
# Allowed where the given argument (from 0) has none of these bits: for reading.
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_OPENING = {1: (2, None), 2: (257, 56)}  # open, openat, by the place of their flags
_TGKILL = (234, 131)

# BPF instructions: code, and for jumps how far where it is true and where not.
_LOAD, _IF_EQUAL, _IF_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_KILL, _REFUSE, _ALLOW = 0x80000000, 0x00050000 | errno.EPERM, 0x7FFF0000
_UNKNOWN = 0x00050000 | errno.ENOSYS
# struct seccomp_data
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16


class _Program(ctypes.Structure):
    """sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def is_supported() -> bool:
    """Whether the kernel has seccomp's filters, and this machine's numbers are known."""
    return platform.machine() in _MACHINES and Path("/proc/sys/kernel/seccomp").is_dir()


def compute_only(*, makes_files: bool = False) -> None:
    """From now on this process can compute, read files and write to what is open. Cannot be undone.

    With `makes_files` it can also open files for writing and start threads. It may signal only itself: abort() does.
    Does nothing where it is not supported. Raises OSError.
    """
    if not is_supported():
        return
    forbid_new_privileges()
    code = _program(*_MACHINES[platform.machine()], makes_files)
    program = _Program(len(code) // 8, code)
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(program))


def _program(architecture: int, column: int, makes_files: bool) -> bytes:
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for numbers in (*_ALLOWED.values(), *(_MAKING.values() if makes_files else ())):
        lines += _where(numbers[column], (_RETURN, 0, 0, _ALLOW))
    refused = 0 if makes_files else _WRITING
    for place, numbers in _OPENING.items():
        lines += _where(numbers[column], _argument(place), (_IF_BITS, 1, 0, refused), (_RETURN, 0, 0, _ALLOW))
    if makes_files:
        lines += _where(_CLONE[column], _argument(0), (_IF_BITS, 0, 1, _CLONE_THREAD), (_RETURN, 0, 0, _ALLOW))
        lines += _where(_CLONE3[column], (_RETURN, 0, 0, _UNKNOWN))
    lines += _where(_TGKILL[column], _argument(0), (_IF_EQUAL, 0, 1, os.getpid()), (_RETURN, 0, 0, _ALLOW))
    lines.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _where(number: int | None, *then: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    """For that call `then`, and a refusal where that comes to no end of its own."""
    if number is None:
        return []
    then = (*then, (_RETURN, 0, 0, _REFUSE))
    return [(_IF_EQUAL, 0, len(then), number), *then]


def _argument(place: int) -> tuple[int, int, int, int]:
    """Its lower half, which comes first in memory: all machines of the table are little-endian."""
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * place)
