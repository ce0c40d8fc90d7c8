"""glibc gives a layer's big blocks back to the kernel, which clears them anew for the next one."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8  # malloc.h
_TOP_PAD_BYTES = 256 * 2**20


def keep_pages() -> bool:
    """Asks glibc to keep freed memory for the next layer; whether it could be asked. Results do not change.

    The process holds its peak memory until it ends. Call it before the first volume is read.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False  # another C library
    # One arena: a loader's thread would otherwise keep pages of its own, and give its big blocks back.
    wanted = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, _TOP_PAD_BYTES), (_M_ARENA_MAX, 1))
    return all(mallopt(name, value) == 1 for name, value in wanted)
