"""Intervals of figures of whole sets, such as Fréchet distances, by leaving out groups of source videos.

Such figures are no ratios, and they grow where windows repeat, so the bootstrap is of no use for them. The interval is
that of the figure at this number of windows, not of the figure of infinitely many.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from .families import Family, Pair, all_pairs, judge, kind_of, sidak_critical_value, unjudged
from .intervals import TAIL, Interval, student_quantile
from .ratios import MIN_SOURCES, Freedom

MAX_GROUPS = 50


def source_groups(sources: Sequence[str]) -> np.ndarray:
    """The group of each source, (sources,) int64: one each up to 50, else 50 groups by a hash of the name."""
    if len(sources) <= MAX_GROUPS:
        return np.arange(len(sources))
    ranked = sorted(range(len(sources)), key=lambda index: hashlib.sha256(sources[index].encode()).digest())
    groups = np.empty(len(sources), dtype=np.int64)
    groups[ranked] = np.arange(len(sources)) % MAX_GROUPS
    return groups


def jackknife_error(left_out: np.ndarray) -> float:
    """Standard error from the figures without each group, (groups,); at least two."""
    num_groups = len(left_out)
    deviations = left_out - math.fsum(left_out) / num_groups
    return math.sqrt((num_groups - 1) / num_groups * math.fsum(deviations**2))


def jackknife_interval(value: float, left_out: np.ndarray, num_sources: int, lowest: float = -math.inf) -> Interval:
    """A figure with its interval.

    Args:
        value: the figure of all.
        left_out: the figure without each group of sources, (groups,).
        num_sources: with fewer than five there is no interval.
        lowest: the smallest value that the figure can have.
    """
    if num_sources < MIN_SOURCES:
        return Interval(value, num_sources)
    error, freedom = jackknife_error(left_out), Freedom(1.0, float(len(left_out) - 1))
    half = student_quantile(1 - TAIL, freedom.degrees) * error
    return Interval(value, num_sources, max(lowest, value - half), max(lowest, value + half), error, freedom)


def compare_sets(
    values: np.ndarray, left_out: np.ndarray, num_sources: int, pairs: Sequence[Pair] | None = None
) -> Family:
    """Judge pairs of systems whose figures are of whole sets, all of the same windows.

    Args:
        values: figures of all windows, (systems,).
        left_out: figures without each group of sources, (systems, groups), the same groups for all.
        num_sources: with fewer than five there is no verdict.
        pairs: those that are asked about; ``None`` for all.
    """
    figures = values.tolist()
    pairs = all_pairs(len(figures)) if pairs is None else list(pairs)
    if num_sources < MIN_SOURCES or not pairs:
        return unjudged(figures, pairs, num_sources)
    freedom = Freedom(1.0, float(left_out.shape[1] - 1))
    critical = sidak_critical_value(len(pairs), freedom)
    outcomes = []
    for first, second in pairs:
        difference, error = figures[first] - figures[second], jackknife_error(left_out[first] - left_out[second])
        kind = kind_of(figures, (first, second), error)
        outcomes.append(judge((first, second), difference, error, kind, num_sources, freedom, critical))
    return Family(tuple(figures), tuple(outcomes), num_sources, critical)
