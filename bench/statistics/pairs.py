"""Differences between two systems that were resampled with the same draws. Pure functions on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .intervals import percentile_interval


@dataclass(frozen=True)
class DifferenceInterval:
    """How far a difference A − B varies between resamples."""

    low: float
    """Lower end of its 95 % interval."""
    high: float
    """Upper end."""
    share_positive: float
    """Share of resamples in which the difference is above zero, those at zero counting half."""


def difference_interval(values_a: np.ndarray, values_b: np.ndarray) -> DifferenceInterval:
    """The 95 % percentile interval of A − B.

    Args:
        values_a: the first system's figure under every resample, (resamples,).
        values_b: the second system's under the same resamples, so that what makes a video hard for both cancels.
    """
    differences = values_a - values_b
    low, high = percentile_interval(differences)
    return DifferenceInterval(low, high, float(np.mean((differences > 0) + 0.5 * (differences == 0))))
