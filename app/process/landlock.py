"""Landlock: a process gives up the file system, but for what it names, and TCP. Linux 5.13 or newer.

Structures and bits: linux/landlock.h; https://docs.kernel.org/userspace-api/landlock.html. The packages on PyPI are
development releases, hence the three system calls by hand; their numbers are the same on every machine.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from app.process.lifetime import forbid_new_privileges

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1

_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_TRUNCATE = 1 << 14
# By the version that knows them first: reading, writing, executing and making; linking elsewhere; truncating; ioctl.
_FILE_SYSTEM = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_TCP = {4: 0b11}  # binding and connecting
_SCOPES = {6: 0b11}  # abstract Unix sockets and signals of processes outside

_syscall = ctypes.CDLL(None, use_errno=True).syscall


def version() -> int:
    """Returns what this kernel's Landlock knows (1 and more); 0 where there is none, or it is switched off."""
    return max(_syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG), 0)


def read_only(readable: Iterable[Path], but: Path | None = None) -> None:
    """From now on this process may read these files and what is in these folders, and nothing else; `but` one file,
    which is there, it may also write.

    It cannot be undone, and holds for its children too. Does nothing where the kernel has no Landlock. Raises OSError.
    """
    known = version()
    if not known:
        return
    file_system, tcp, scopes = (_known(bits, known) for bits in (_FILE_SYSTEM, _TCP, _SCOPES))
    # A kernel refuses a structure that is longer than its own, unless the rest is zero.
    ruleset = _call(_CREATE_RULESET, struct.pack("QQQ", file_system, tcp, scopes), ctypes.c_size_t(24), 0)
    try:
        for path in readable:
            _allow(ruleset, path, _READ_FILE | _READ_DIR if path.is_dir() else _READ_FILE)
        if but is not None:
            _allow(ruleset, but, (_READ_FILE | _WRITE_FILE | _TRUNCATE) & file_system)
        forbid_new_privileges()
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _known(bits: dict[int, int], known: int) -> int:
    return sum(more for first, more in bits.items() if first <= known)


def _allow(ruleset: int, path: Path, access: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, descriptor), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result = _syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock: {os.strerror(code)}")
    return result
