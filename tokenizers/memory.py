"""Reuse of freed memory within a forward pass on the CPU.

glibc gives blocks of 32 MiB and more back to the operating system as soon as they are freed, and the next one comes
back page by page, zeroed: up to a quarter of the time of a full-size forward pass in float32. Within a pass they are
kept instead, and given back at its end.
"""

from __future__ import annotations

import ctypes
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
"""Parameters of mallopt(3)."""

DEFAULTS = {M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 32 << 20, M_TRIM_THRESHOLD: 64 << 20}
"""What a process that handles large tensors has without us: its thresholds grow to these (mallopt(3))."""

KEEPING = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1}
"""No block is mapped on its own, and freed ones stay in the heap."""

_lock = threading.Lock()
_passes_under_way = 0


@cache
def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep freed memory of the process for the blocks that follow, until the outermost ``with`` ends.

    Without effect where the C library isn't glibc.
    """
    global _passes_under_way
    library = _glibc()
    if library is None:
        yield
        return
    with _lock:
        if _passes_under_way == 0:
            _set(library, KEEPING)
        _passes_under_way += 1
    try:
        yield
    finally:
        with _lock:
            _passes_under_way -= 1
            if _passes_under_way == 0:
                _set(library, DEFAULTS)
                library.malloc_trim(0)


def _set(library: ctypes.CDLL, options: dict[int, int]) -> None:
    for option, value in options.items():
        library.mallopt(option, value)
