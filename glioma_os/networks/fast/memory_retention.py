"""Freed memory is kept for the next layer: the same bits, sooner.

glibc takes blocks above M_MMAP_THRESHOLD (128 KiB, growing to 32 MiB at most) from the kernel by mmap and gives them
back when they are freed; the kernel clears each page again before the next layer may write it. One activation of a
brain box has 10 to 500 MiB, so every layer pays for it. With M_MMAP_MAX = 0 blocks come from the heap, with
M_TRIM_THRESHOLD = −1 (as unsigned: the largest size) the heap never shrinks, and M_TOP_PAD lets it grow in steps of 256
MiB instead of 128 KiB. M_ARENA_MAX = 1: a loader's thread would otherwise fill a heap of its own, to which
M_TRIM_THRESHOLD does not apply. Source: mallopt(3), malloc.h. Plain twin: nothing is asked for.
"""

from __future__ import annotations

import ctypes
import sys

from glioma_os.fast import is_plain

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8  # malloc.h
_TOP_PAD_BYTES = 256 * 2**20


def retain_freed_memory() -> bool:
    """Asks glibc to keep freed memory for the next layer; whether it could be asked. Results do not change.

    The process holds its peak memory until it ends. Call it before the first volume is read.
    """
    if sys.platform != "linux" or is_plain():
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False  # another C library
    wanted = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, -1), (_M_TOP_PAD, _TOP_PAD_BYTES), (_M_ARENA_MAX, 1))
    return all(mallopt(name, value) == 1 for name, value in wanted)
