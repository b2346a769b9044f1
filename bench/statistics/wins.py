"""In how many videos one system does better than another.

A description beside the verdict: it weighs every video alike, the figures don't.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Z = 1.959963984540054
"""97.5 % quantile of the normal distribution."""
MIN_DECIDED = 5
"""Videos without a tie below which the share has no interval."""


@dataclass(frozen=True)
class Wins:
    """Videos by who does better in them."""

    wins: int
    ties: int
    losses: int

    @property
    def decided(self) -> int:
        """Videos without a tie."""
        return self.wins + self.losses

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the share of wins among the decided; ``None`` with fewer than five of those."""
        return wilson_interval(self.wins, self.decided) if self.decided >= MIN_DECIDED else None


def count_wins(means_a: np.ndarray, means_b: np.ndarray, *, higher_is_better: bool) -> Wins:
    """Compare two systems' means of each video, (sources,) each."""
    differences = np.asarray(means_a) - np.asarray(means_b)
    tied = np.abs(differences) <= 1e-12 * np.maximum(np.abs(means_a), np.abs(means_b))
    ahead = ~tied & ((differences > 0) == higher_is_better)
    ties, wins = int(tied.sum()), int(ahead.sum())
    return Wins(wins, ties, len(differences) - ties - wins)


def wilson_interval(wins: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share: Wilson, *Journal of the American Statistical Association* 22 (1927).

    Raises:
        ValueError: without trials.
    """
    if trials < 1:
        raise ValueError("a share takes at least one trial")
    share, penalty = wins / trials, Z**2 / trials
    centre = (share + penalty / 2) / (1 + penalty)
    half = Z * math.sqrt(share * (1 - share) / trials + penalty / (4 * trials)) / (1 + penalty)
    return max(0.0, centre - half), min(1.0, centre + half)
