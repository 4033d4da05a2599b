"""Memory that training frees stays with the process, for its next step to use, until training ends.

glibc gives large blocks back to the system at once, and every step's activations are paged in anew: on two cores that
took a sixth of the time (tests/bench/training.py). Does nothing where the C library is not glibc.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

MMAP_THRESHOLD, TRIM_THRESHOLD, TOP_PAD = -3, -1, -2  # of mallopt(3)
KEPT = {MMAP_THRESHOLD: 1 << 30, TRIM_THRESHOLD: (1 << 31) - 1, TOP_PAD: 256 << 20}
USUAL = dict.fromkeys(KEPT, 128 << 10)


@contextmanager
def keep_freed() -> Iterator[None]:
    """To be entered before large tensors are made. What is free at the end goes back to the system: a command may go
    on to start models that need it."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt") or not hasattr(libc, "malloc_trim"):
        yield
        return
    for option, value in KEPT.items():
        libc.mallopt(option, value)
    try:
        yield
    finally:
        for option, value in USUAL.items():
            libc.mallopt(option, value)
        libc.malloc_trim(0)
