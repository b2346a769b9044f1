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

    Those of a part can be taken away from those of the whole.
    """

    count: int
    """Pairs, n."""
    difference: np.ndarray
    """Σ (xxᵀ − yyᵀ), (D, D)."""
    own: float
    """Σ ‖xxᵀ − yyᵀ‖²: what the pairs of a row with itself and with its partner add to ‖difference‖²."""

    @classmethod
    def of(cls, features_a: np.ndarray, features_b: np.ndarray) -> PairedMoments:
        """Of two sets whose rows belong together, such as clips and their reconstructions.

        Args:
            features_a: (n, D).
            features_b: (n, D).

        Raises:
            ValueError: if the shapes differ, or aren't of two axes.
        """
        if features_a.ndim != 2 or features_a.shape != features_b.shape:
            raise ValueError(f"two sets of features must be (n, D) each, not {features_a.shape}, {features_b.shape}")
        one, other = features_a.astype(np.float64), features_b.astype(np.float64)
        fourths = sum(np.square(np.square(rows).sum(axis=1)) for rows in (one, other))
        partners = np.square((one * other).sum(axis=1))
        return cls(len(one), one.T @ one - other.T @ other, float((fourths - 2 * partners).sum()))

    def __sub__(self, other: PairedMoments) -> PairedMoments:
        return PairedMoments(self.count - other.count, self.difference - other.difference, self.own - other.own)

    def distance(self) -> float:
        """The distance over all pairs of rows, each row's pair with itself included; at least 0.

        It is biased upwards: by about 200/n for unrelated normal features of unit variance.

        Raises:
            ValueError: where there is no row.
        """
        if self.count < 1:
            raise ValueError("a distance takes at least 1 row")
        return SCALE / self.difference.size * float(np.square(self.difference / self.count).sum())

    def paired_distance(self) -> float:
        """The distance without bias: without the pairs of a row with itself and with its partner. May be negative.

        Raises:
            ValueError: with fewer than two rows.
        """
        if self.count < 2:
            raise ValueError(f"pairs take at least 2 rows, not {self.count}")
        between = float(np.square(self.difference).sum()) - self.own
        return SCALE / (self.difference.size * self.count * (self.count - 1)) * between
