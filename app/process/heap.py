"""The heap that forked processes share: what a child allocates must not lie in pages of its parent.

glibc only, where Python takes its objects from it (PYTHONMALLOC=malloc); elsewhere nothing happens.
"""

import ctypes
import os

# From what is allocated at once down to the least: each size fills what the larger ones have left.
_SIZES = (1 << 16, 1 << 14, 1 << 12, 2040, 1016, 504, 248, 184, 120, 88, 56, 40, 24)


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks"),
            *("fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def fill_holes() -> int:
    """Takes, for good, the free places between what this process holds: its children then allocate behind it all.

    A child that filled such a hole would copy the whole page around it. To be called last before the forks. Returns
    the number of bytes.
    """
    libc = ctypes.CDLL(None)
    if os.environ.get("PYTHONMALLOC") != "malloc" or not hasattr(libc, "mallinfo2"):
        return 0
    libc.mallinfo2.restype = _Mallinfo2
    libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
    libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    end = libc.sbrk(ctypes.c_ssize_t(0)) - libc.mallinfo2().keepcost
    taken = 0
    for size in _SIZES:
        while (place := libc.malloc(size)) < end:
            taken += size
        libc.free(place)
    return taken
