"""Distances between the features of all reconstructions and of all references, and how certain they are."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..statistics.jackknife import source_groups
from .frechet import Moments, frechet_distance, moments_without
from .interface import MeasuredWindow
from .sources import sorted_windows

NUM_SUBSAMPLES = 8
"""Subsamples whose mean stands for a set that is larger than another one."""


@dataclass(frozen=True, eq=False)
class Features:
    """Features of a set of windows; equal where their content is, so that results can be kept."""

    array: np.ndarray
    """(N, d) float32."""

    @functools.cached_property
    def digest(self) -> bytes:
        """Identity of the content."""
        return hashlib.sha256(repr(self.array.shape).encode() + np.ascontiguousarray(self.array).tobytes()).digest()

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Features) and self.digest == other.digest


@dataclass(frozen=True)
class FeatureSet:
    """Features of reconstructions and references of the same windows, in the order of sources and windows."""

    reconstructions: Features
    references: Features
    sources: tuple[str, ...]
    """The source of each window."""
    keys: tuple[tuple[str, int], ...]
    """The key of each window."""
    ddof: int

    @classmethod
    def of(cls, windows: Sequence[MeasuredWindow], ddof: int) -> FeatureSet:
        """Of at least one window; all have ``features`` of both."""
        windows = sorted_windows(windows)
        return cls(
            Features(np.stack([window.arrays["features"] for window in windows])),
            Features(np.stack([window.reference_arrays["features"] for window in windows])),
            tuple(window.source for window in windows),
            tuple(window.key for window in windows),
            ddof,
        )

    def __len__(self) -> int:
        return len(self.sources)

    def part(self, indices: Sequence[int]) -> FeatureSet:
        """Some of the windows."""
        chosen = sorted(indices)
        return FeatureSet(
            Features(self.reconstructions.array[chosen]),
            Features(self.references.array[chosen]),
            tuple(self.sources[index] for index in chosen),
            tuple(self.keys[index] for index in chosen),
            self.ddof,
        )

    def order(self, draw: int = 0) -> list[int]:
        """The windows in an order by hash that is the same on every machine."""

        def digest(index: int) -> bytes:
            name = f"{draw}:{self.sources[index]}:{self.keys[index][1]}"
            return hashlib.sha256(name.encode()).digest()

        return sorted(range(len(self)), key=lambda index: (digest(index), self.keys[index]))

    def halves(self) -> tuple[FeatureSet, FeatureSet]:
        """Two disjoint halves of equal size."""
        order, half = self.order(), len(self) // 2
        return self.part(order[:half]), self.part(order[half : 2 * half])

    def subsamples(self, size: int) -> list[FeatureSet]:
        """The set itself where it has that size, else several parts of that size."""
        if len(self) == size:
            return [self]
        return [self.part(self.order(draw)[:size]) for draw in range(NUM_SUBSAMPLES)]

    def distance(self) -> float:
        """The Fréchet distance; never below zero, which rounding alone could do."""
        return max(0.0, frechet_distance(self.reconstructions.array, self.references.array, self.ddof))

    def distances_without(self, source_names: Sequence[str]) -> np.ndarray:
        """The distance without each group of sources, (groups,).

        Args:
            source_names: all sources, from which the groups follow; a subset may lack some of them.
        """
        named = source_groups(source_names)
        group_of = dict(zip(source_names, named.tolist(), strict=True))
        groups = np.array([group_of[source] for source in self.sources], dtype=np.int64)
        made = (groups.tobytes(), int(named.max()) + 1, self.ddof)
        return _distances_without(self.reconstructions, self.references, *made)


@functools.lru_cache(maxsize=64)
def _distances_without(
    reconstructions: Features, references: Features, groups: bytes, num_groups: int, ddof: int
) -> np.ndarray:
    made = moments_without(reconstructions.array, np.frombuffer(groups, np.int64), num_groups, ddof)
    pairs = zip(made, _reference_moments(references, groups, num_groups, ddof), strict=True)
    return np.array([one.distance(other) for one, other in pairs])


@functools.lru_cache(maxsize=2)
def _reference_moments(references: Features, groups: bytes, num_groups: int, ddof: int) -> tuple[Moments, ...]:
    """All tokenizers of a dataset are compared with the same references."""
    return tuple(moments_without(references.array, np.frombuffer(groups, np.int64), num_groups, ddof))
