"""Results that are asked for again, kept by what identifies the question."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class KeptResults(Generic[T]):
    """The results that were asked for last. Unlike ``functools.lru_cache``, it doesn't hold the arguments.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int):
        self._most = most
        self._results: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result of that key, made where it isn't kept."""
        if key not in self._results:
            self._results[key] = make()
        self._results.move_to_end(key)
        while len(self._results) > self._most:
            self._results.popitem(last=False)
        return self._results[key]
