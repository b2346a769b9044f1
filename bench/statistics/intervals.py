"""Intervals by a bootstrap that resamples source videos, never single windows. Pure functions on arrays.

Windows of one video resemble each other, so the video is the unit that is drawn: the cluster bootstrap of Davison and
Hinkley, *Bootstrap Methods and their Application* (1997), section 3.8. Intervals are the percentile intervals.
"""

from __future__ import annotations

import functools

import numpy as np

BOOTSTRAP_SEED = 20241217
"""Fixed, so that the same windows always give the same interval."""
INTERVAL_PERCENTILES = (2.5, 97.5)
"""Ends of a 95 % interval."""


@functools.lru_cache(maxsize=4)
def resample_counts(num_sources: int, num_resamples: int) -> np.ndarray:
    """How often each source is drawn in each resample: (resamples, sources) int64, every row summing to the sources.

    The array is shared between calls and read-only.
    """
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    counts = generator.multinomial(num_sources, np.full(num_sources, 1 / num_sources), size=num_resamples)
    counts.setflags(write=False)
    return counts


def resampled_ratio(totals: np.ndarray, weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Ratio of sums under every resample, (resamples,).

    Args:
        totals: numerators summed by source, (sources,).
        weights: denominators summed by source, (sources,).
        counts: as :func:`resample_counts` gives them.
    """
    # einsum rather than a matrix product: its order of summation doesn't depend on the number of threads.
    return np.einsum("rs,s->r", counts, totals) / np.einsum("rs,s->r", counts, weights)


def percentile_interval(values: np.ndarray) -> tuple[float, float]:
    """Ends of the 95 % percentile interval."""
    low, high = np.percentile(values, INTERVAL_PERCENTILES)
    return float(low), float(high)
