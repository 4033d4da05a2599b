"""Memory that training frees stays with the process, for its next step to use.

glibc gives large blocks back to the system at once, and every step's activations are paged in anew: on two cores that
took a sixth of the time (tests/bench/training.py).
"""

from __future__ import annotations

import ctypes

MMAP_THRESHOLD, TRIM_THRESHOLD, TOP_PAD = -3, -1, -2  # of mallopt(3)
KEPT = {MMAP_THRESHOLD: 1 << 30, TRIM_THRESHOLD: (1 << 31) - 1, TOP_PAD: 256 << 20}


def keep_freed() -> None:
    """To be called before large tensors are made. Does nothing where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in KEPT.items():
            mallopt(option, value)
