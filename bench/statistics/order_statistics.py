"""Medians of repeated timings, with intervals whose ends are two of the timings."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import bdtr

LEVEL = 0.95
MIN_FOR_CORRELATION = 10
"""Repetitions from which on the correlation of neighbours is looked at."""
MAX_CORRELATION = 0.3
"""Correlation of neighbours above which repetitions can't pass for independent."""


@dataclass(frozen=True)
class MedianInterval:
    """The median of repetitions with its interval."""

    value: float
    num_repetitions: int
    lowest: float
    highest: float
    low: float | None = None
    """Ends of the interval; ``None`` where there is none."""
    high: float | None = None
    correlation: float | None = None
    """Of neighbouring repetitions; ``None`` with fewer than ten."""


def median_ranks(num_repetitions: int, level: float = LEVEL) -> tuple[int, int] | None:
    """Ranks from 1 of the values between which the median lies; ``None`` where there are too few values."""
    lower = 0
    while 1 - 2 * float(bdtr(lower, num_repetitions, 0.5)) >= level:
        lower += 1
    return (lower, num_repetitions + 1 - lower) if lower else None


def sidak_level(num_intervals: int, level: float = LEVEL) -> float:
    """Level of each of several intervals, so that all of them hold at once at ``level``: Šidák's."""
    return level ** (1 / num_intervals)


def min_repetitions(level: float = LEVEL) -> int:
    """Fewest repetitions from which on a median has an interval: the smallest and the largest of them cover it."""
    return next(number for number in itertools.count(2) if median_ranks(number, level))


def median_interval(values: np.ndarray, level: float = LEVEL) -> MedianInterval:
    """The median of repetitions in the order they were made, (repetitions,), with its interval.

    There is none with fewer than six repetitions, or where neighbours are correlated by more than 0.3: then repetitions
    aren't independent, and the interval would be too narrow.

    Raises:
        ValueError: without values, or if one isn't finite.
    """
    values = np.asarray(values, np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError("a median takes at least one value, all of them finite")
    ordered, ranks = np.sort(values), median_ranks(len(values), level)
    correlation = neighbour_correlation(values) if len(values) >= MIN_FOR_CORRELATION else None
    low = high = None
    if ranks and not (correlation is not None and correlation > MAX_CORRELATION):
        low, high = (float(ordered[rank - 1]) for rank in ranks)
    lowest, highest = float(ordered[0]), float(ordered[-1])
    return MedianInterval(float(np.median(values)), len(values), lowest, highest, low, high, correlation)


def ratio_of_medians(values_a: np.ndarray, values_b: np.ndarray, level: float = LEVEL) -> MedianInterval:
    """Median of A over median of B, with the interval of the median of paired ratios.

    Args:
        values_a: repetitions of A, (repetitions,), above zero.
        values_b: repetitions of B that were made in turn with those of A, so that pairs saw the same machine.
        level: of the interval.

    Raises:
        ValueError: if the numbers of repetitions differ, or a value isn't above zero.
    """
    values_a, values_b = np.asarray(values_a, np.float64), np.asarray(values_b, np.float64)
    if values_a.shape != values_b.shape or not (values_a > 0).all() or not (values_b > 0).all():
        raise ValueError("paired repetitions need the same number of values, all of them above zero")
    paired = median_interval(values_a / values_b, level)
    return replace(paired, value=float(np.median(values_a) / np.median(values_b)))


def neighbour_correlation(values: np.ndarray) -> float:
    """Correlation of each value with the next one, 0 where nothing varies but for rounding."""
    mean = float(np.mean(values))
    centred = np.asarray(values, np.float64) - mean
    if np.abs(centred).max() <= 1e-12 * abs(mean):
        return 0.0
    return math.fsum(centred[1:] * centred[:-1]) / math.fsum(centred**2)
