"""Maximum mean discrepancy of two sets of features under the kernel (⟨x, y⟩/D)², times 100: JEDi's distance.

Luo et al., *Beyond FVD: enhanced evaluation metrics for video generation quality*, arXiv:2410.05203. A kernel of degree
two without a constant sees second moments only, so that the mean over all pairs is a distance of two D×D matrices:
100/D² · ‖XᵀX/n − YᵀY/m‖². A set and its negative are at distance 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SCALE = 100.0


@dataclass(frozen=True)
class PairedMoments:
    """Sums over pairs of features, x and y, from which both distances follow, in float64.

    Sums of two parts add up to those of the whole, so that parts can be merged, and taken away again.
    """

    count: int
    """Pairs, n."""
    difference: np.ndarray
    """Σ (xxᵀ − yyᵀ), (D, D)."""
    own: float
    """Σ ‖xxᵀ − yyᵀ‖²: what the pairs of a row with itself and with its partner add to ‖difference‖²."""

    @classmethod
    def of(cls, features_a: np.ndarray, features_b: np.ndarray) -> PairedMoments:
        """Of two sets (n, D) whose rows belong together."""
        one, other = features_a.astype(np.float64), features_b.astype(np.float64)
        fourths = sum(np.square(np.square(rows).sum(axis=1)) for rows in (one, other))
        partners = np.square((one * other).sum(axis=1))
        return cls(len(one), one.T @ one - other.T @ other, float((fourths - 2 * partners).sum()))

    def __add__(self, other: PairedMoments) -> PairedMoments:
        return PairedMoments(self.count + other.count, self.difference + other.difference, self.own + other.own)

    def __sub__(self, other: PairedMoments) -> PairedMoments:
        return PairedMoments(self.count - other.count, self.difference - other.difference, self.own - other.own)

    def distance(self) -> float:
        """The distance over all pairs of rows; raises ``ValueError`` where there is no row."""
        if self.count < 1:
            raise ValueError("a distance takes at least 1 row")
        return SCALE / self.difference.size * float(np.square(self.difference / self.count).sum())

    def paired_distance(self) -> float:
        """The distance without the pairs of a row with itself and with its partner.

        Raises:
            ValueError: with fewer than two rows.
        """
        if self.count < 2:
            raise ValueError(f"pairs take at least 2 rows, not {self.count}")
        between = float(np.square(self.difference).sum()) - self.own
        return SCALE / (self.difference.size * self.count * (self.count - 1)) * between


def polynomial_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """The distance over all pairs, each feature's pair with itself included; at least 0.

    It is biased upwards: by 100(1/n + 1/m) for normal features of unit variance.

    Args:
        features_a: (n, D).
        features_b: (m, D).

    Raises:
        ValueError: if the shapes don't match, or a set is empty.
    """
    _check(features_a, features_b)
    moments = [rows.T @ rows / len(rows) for rows in (features_a.astype(np.float64), features_b.astype(np.float64))]
    return SCALE / features_a.shape[1] ** 2 * float(np.square(moments[0] - moments[1]).sum())


def paired_polynomial_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """The distance for sets whose rows belong together, such as clips and their reconstructions; without bias.

    The pairs of a feature with itself and with its partner are left out of all three means. May be negative.

    Args:
        features_a: (n, D).
        features_b: (n, D).

    Raises:
        ValueError: if the shapes differ, or there are fewer than two rows.
    """
    _check(features_a, features_b)
    if features_a.shape != features_b.shape or len(features_a) < 2:
        raise ValueError(f"pairs take two sets of at least 2 rows each, not {features_a.shape} and {features_b.shape}")
    return PairedMoments.of(features_a, features_b).paired_distance()


def _check(features_a: np.ndarray, features_b: np.ndarray) -> None:
    shapes = features_a.shape, features_b.shape
    if (
        features_a.ndim != 2
        or features_b.ndim != 2
        or shapes[0][1] != shapes[1][1]
        or 0 in (shapes[0][0], shapes[1][0])
    ):
        raise ValueError(f"two sets of features must be (N, D) with one D, not {shapes[0]}, {shapes[1]}")
