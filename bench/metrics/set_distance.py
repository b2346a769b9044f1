"""Distances between two sets of features whose rows belong together, whole and without groups of rows."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .features import Features
from .frechet import Moments, growing_moments, moments_without
from .kept_results import KeptResults
from .polynomial_distance import PairedMoments
from .single_thread import single_thread

_LEFT_OUT: KeptResults[np.ndarray] = KeptResults(64)
_MOMENTS: KeptResults[Moments] = KeptResults(8)
_MOMENTS_GROWING: KeptResults[list[Moments]] = KeptResults(3)
_MOMENTS_WITHOUT: KeptResults[list[Moments]] = KeptResults(2)


class SetDistance(ABC):
    """A distance between the features of all reconstructions and of all references."""

    @property
    @abstractmethod
    def lowest(self) -> float:
        """The smallest value that it can have."""

    @abstractmethod
    def between(self, reconstructions: Features, references: Features) -> float:
        """The distance of two sets (N, d)."""

    def without(
        self, reconstructions: Features, references: Features, groups: np.ndarray, num_groups: int
    ) -> np.ndarray:
        """The distance without the rows of each group, (num_groups,).

        Args:
            reconstructions: (N, d).
            references: (N, d).
            groups: the group of each row, (N,) int64, from 0.
            num_groups: groups; some may have no row.
        """
        key = (self, reconstructions.digest, references.digest, groups.tobytes(), num_groups)
        return _LEFT_OUT.get(key, lambda: self._without(reconstructions, references, groups, num_groups))

    @abstractmethod
    def _without(
        self, reconstructions: Features, references: Features, groups: np.ndarray, num_groups: int
    ) -> np.ndarray:
        """:meth:`without`, computed."""

    def growing(
        self, reconstructions: Features, references: Features, order: np.ndarray, sizes: Sequence[int]
    ) -> list[float]:
        """The distances of the first rows.

        Args:
            reconstructions: (N, d).
            references: (N, d).
            order: of the rows, (N,) int64.
            sizes: how many rows, rising.
        """
        both = (reconstructions.array, references.array)
        return [self.between(*(Features(array[order[:size]]) for array in both)) for size in sizes]


@dataclass(frozen=True)
class FrechetDistance(SetDistance):
    """The Fréchet distance; never below zero, which rounding alone could do."""

    ddof: int
    """0 divides covariances by N, 1 by N − 1."""

    @property
    def lowest(self) -> float:
        """Of two alike distributions."""
        return 0.0

    def between(self, reconstructions: Features, references: Features) -> float:
        """See :func:`.frechet.frechet_distance`."""
        with single_thread():
            made = Moments.of(reconstructions.array, self.ddof)
            return max(0.0, made.distance(self._moments_of(references)))

    def _moments_of(self, references: Features) -> Moments:
        """All tokenizers of a dataset are compared with the same references, whole and in parts."""
        return _MOMENTS.get((references.digest, self.ddof), lambda: Moments.of(references.array, self.ddof))

    def _without(
        self, reconstructions: Features, references: Features, groups: np.ndarray, num_groups: int
    ) -> np.ndarray:
        """See :func:`.frechet.moments_without`."""
        kept = (references.digest, groups.tobytes(), num_groups, self.ddof)
        with single_thread():
            others = _MOMENTS_WITHOUT.get(
                kept, lambda: list(moments_without(references.array, groups, num_groups, self.ddof))
            )
            made = moments_without(reconstructions.array, groups, num_groups, self.ddof)
            return np.array([one.distance(other) for one, other in zip(made, others, strict=True)])

    def growing(
        self, reconstructions: Features, references: Features, order: np.ndarray, sizes: Sequence[int]
    ) -> list[float]:
        """See :func:`.frechet.growing_moments`."""
        kept = (references.digest, order.tobytes(), tuple(sizes), self.ddof)
        with single_thread():
            others = _MOMENTS_GROWING.get(kept, lambda: growing_moments(references.array[order], sizes, self.ddof))
            made = growing_moments(reconstructions.array[order], sizes, self.ddof)
            return [max(0.0, one.distance(other)) for one, other in zip(made, others, strict=True)]


@dataclass(frozen=True)
class PolynomialDistance(SetDistance):
    """JEDi's distance, over all pairs of rows or without those of a row with itself and with its partner."""

    is_paired: bool

    @property
    def lowest(self) -> float:
        """Of the paired one there is none: it is right on average, so it may fall below zero."""
        return -math.inf if self.is_paired else 0.0

    def between(self, reconstructions: Features, references: Features) -> float:
        """See :mod:`.polynomial_distance`."""
        return self.of_moments(PairedMoments.of(reconstructions.array, references.array))

    def _without(
        self, reconstructions: Features, references: Features, groups: np.ndarray, num_groups: int
    ) -> np.ndarray:
        """The sums of all rows, less those of the group."""
        whole = PairedMoments.of(reconstructions.array, references.array)
        left = []
        for group in range(num_groups):
            rows = groups == group
            part = PairedMoments.of(reconstructions.array[rows], references.array[rows])
            left.append(self.of_moments(whole - part))
        return np.array(left)

    def of_moments(self, moments: PairedMoments) -> float:
        """The distance that sums over rows come to."""
        return moments.paired_distance() if self.is_paired else moments.distance()
