"""Work on the frames of a window, a thread for each of several parts.

Steps that take microseconds are slowed by sharing each of them among threads, much more so where other processes want
the same cores. So every thread here computes alone, and no value depends on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Part = TypeVar("Part")
Made = TypeVar("Made")


def in_threads(work: Callable[[Part], Made], parts: Sequence[Part]) -> list[Made]:
    """What ``work`` makes of each part, on as many threads as torch has and there are parts; one part isn't moved."""
    num_threads = torch.get_num_threads()
    if num_threads == 1 or len(parts) <= 1:
        return [work(part) for part in parts]

    def work_without_gradients(part: Part) -> Made:
        with torch.no_grad():
            return work(part)

    try:
        # The number is that of the thread that sets it, and of threads that are started later.
        workers = min(num_threads, len(parts))
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work_without_gradients, parts))
    finally:
        torch.set_num_threads(num_threads)
