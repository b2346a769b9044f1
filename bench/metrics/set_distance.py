"""Distances between two sets of features whose rows belong together, whole and without groups of rows."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from .features import Features
from .frechet import Moments, map_moments_without
from .matrix_threads import in_threads
from .polynomial_distance import PairedMoments


class SetDistance(ABC):
    """A distance between the features of all reconstructions and of all references."""

    @property
    @abstractmethod
    def lowest(self) -> float:
        """The smallest value that it can have."""

    @abstractmethod
    def between(self, reconstructions: Features, references: Features) -> float:
        """The distance of two sets (N, d)."""

    @abstractmethod
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
        both = ((Moments.of, reconstructions.array), (_kept_moments, references))
        made, wanted = in_threads(lambda one: one[0](one[1], self.ddof), both)
        return max(0.0, made.distance(wanted))

    def without(
        self, reconstructions: Features, references: Features, groups: np.ndarray, num_groups: int
    ) -> np.ndarray:
        """See :func:`.frechet.map_moments_without`."""
        return _frechet_without(reconstructions, references, groups.tobytes(), num_groups, self.ddof)


@functools.lru_cache(maxsize=32)
def _kept_moments(references: Features, ddof: int) -> Moments:
    """All tokenizers of a dataset are compared with the same references, whole and in parts."""
    return Moments.of(references.array, ddof)


@functools.lru_cache(maxsize=64)
def _frechet_without(
    reconstructions: Features, references: Features, groups: bytes, num_groups: int, ddof: int
) -> np.ndarray:
    others = _reference_moments(references, groups, num_groups, ddof)

    def distance(group: int, moments: Moments) -> float:
        return moments.distance(others[group])

    return np.array(
        map_moments_without(distance, reconstructions.array, np.frombuffer(groups, np.int64), num_groups, ddof)
    )


@functools.lru_cache(maxsize=2)
def _reference_moments(references: Features, groups: bytes, num_groups: int, ddof: int) -> tuple[Moments, ...]:
    """All tokenizers of a dataset are compared with the same references."""
    group_of = np.frombuffer(groups, np.int64)
    return tuple(map_moments_without(lambda group, moments: moments, references.array, group_of, num_groups, ddof))


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

    def without(
        self, reconstructions: Features, references: Features, groups: np.ndarray, num_groups: int
    ) -> np.ndarray:
        """The sums of all rows, less those of the group."""
        return _polynomial_without(self, reconstructions, references, groups.tobytes(), num_groups)

    def of_moments(self, moments: PairedMoments) -> float:
        """The distance that sums over rows come to."""
        return moments.paired_distance() if self.is_paired else moments.distance()


@functools.lru_cache(maxsize=64)
def _polynomial_without(
    distance: PolynomialDistance, reconstructions: Features, references: Features, groups: bytes, num_groups: int
) -> np.ndarray:
    whole = PairedMoments.of(reconstructions.array, references.array)
    group_of = np.frombuffer(groups, np.int64)
    left = []
    for group in range(num_groups):
        rows = group_of == group
        part = PairedMoments.of(reconstructions.array[rows], references.array[rows])
        left.append(distance.of_moments(whole - part))
    return np.array(left)
