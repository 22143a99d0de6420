"""What glibc's heap keeps of freed memory. Elsewhere these calls do nothing."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGE_BYTES = 2 << 20  # more than any array of a second's step
_KEPT_BYTES = 4 << 20  # more than all arrays of a step together


def return_large_blocks() -> None:
    """Return every large array to the system once it is freed.

    By default glibc keeps what is below 32 MB for later, in pieces that fit nothing: 60 MB of them
    after an hour of sound. The top of the heap is kept, though: to return it, and have its pages
    cleared and mapped again in each step, took a fifth of the CPU time.
    """
    with suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def trim() -> None:
    """Return what is free in the heap, wherever it lies: 20 MB after a pass over the sound."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
