"""Keep freed memory in the process: a sweep frees and takes the same arrays thousands of times a second.

This is about time only: results do not depend on it.
"""

from __future__ import annotations

import ctypes
from functools import cache

# mallopt's parameters in glibc's malloc.h: the most that it keeps at the heap's end, and the size from which
# an array lies outside the heap, for which 2^25 bytes are the most that it takes.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT = {M_TRIM_THRESHOLD: 1 << 28, M_MMAP_THRESHOLD: 1 << 25}


@cache
def keep_freed_memory() -> bool:
    """Tell the C library not to give freed arrays back to the system; return whether it understood.

    Taken anew from the system, each page of an array costs a fault, which took half of the reference's time.
    Where the C library is not glibc nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(option, size) for option, size in KEPT.items())
