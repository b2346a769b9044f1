"""Where the time of a training goes: into steps, or into waiting for clips."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

RECENT_STEPS = 50
"""Steps that the figures are means over."""


class Pace:
    """Times the steps of a training and the waits before them.

    Args:
        clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self._clock = clock
        self._waits: deque[float] = deque(maxlen=RECENT_STEPS)
        self._steps: deque[float] = deque(maxlen=RECENT_STEPS)
        self._pending_wait = 0.0
        self.first_wait = 0.0
        """Seconds until the first clips were there, in which loaders start; no part of the means."""
        self._is_first = True

    @property
    def num_steps(self) -> int:
        """Steps that the means are over."""
        return len(self._steps)

    @property
    def data_seconds(self) -> float:
        """Mean wait for the clips of a recent step; what is made while a step runs isn't waited for."""
        return sum(self._waits) / len(self._waits) if self._waits else 0.0

    @property
    def step_seconds(self) -> float:
        """Mean duration of a recent step, without the wait."""
        return sum(self._steps) / len(self._steps) if self._steps else 0.0

    def waited(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, while it times how long each of them is waited for."""
        iterator = iter(items)
        while True:
            began = self._clock()
            try:
                item = next(iterator)
            except StopIteration:
                return
            self._pending_wait = self._clock() - began
            yield item

    @contextmanager
    def step(self) -> Iterator[None]:
        """Times the step in the ``with`` block, which follows a wait. The first one warms up, and isn't counted."""
        began = self._clock()
        yield
        if self._is_first:
            self._is_first, self.first_wait = False, self._pending_wait
            return
        self._waits.append(self._pending_wait)
        self._steps.append(self._clock() - began)
