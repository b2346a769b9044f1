"""Intervals and differences by a bootstrap that resamples source videos, never single windows.

Windows of one video resemble each other, so the video is the unit that is drawn: the cluster bootstrap of Davison and
Hinkley, *Bootstrap Methods and their Application* (1997), section 3.8. Intervals are the percentile intervals.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..metrics.interface import Estimate, MeasuredWindow, Metric, Unavailable

BOOTSTRAP_SEED = 20241217
"""Fixed, so that the same windows always give the same interval."""
INTERVAL_PERCENTILES = (2.5, 97.5)
"""Ends of a 95 % interval."""


def sorted_windows(windows: Iterable[MeasuredWindow]) -> list[MeasuredWindow]:
    """Windows by source and index: the order every sum and every resample goes by."""
    return sorted(windows, key=lambda window: window.key)


def windows_by_source(windows: Iterable[MeasuredWindow]) -> list[list[MeasuredWindow]]:
    """The windows of each source video, sources and windows sorted."""
    grouped = itertools.groupby(sorted_windows(windows), key=lambda window: window.source)
    return [list(group) for _, group in grouped]


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


def bootstrap_interval(metric: Metric, windows: Sequence[MeasuredWindow]) -> tuple[float | None, float | None]:
    """Ends of the metric's 95 % interval; ``None`` with fewer than two sources, or where it can't be resampled."""
    num_sources = len({window.source for window in windows})
    if num_sources < 2:
        return None, None
    values = metric.resample(windows, resample_counts(num_sources, metric.num_resamples))
    return (None, None) if values is None else percentile_interval(values)


@dataclass(frozen=True)
class PairedDifference:
    """One metric of two tokenizers, on the windows that both have."""

    value_a: float
    """The first tokenizer's figure on the shared windows."""
    value_b: float
    """The second tokenizer's figure on the shared windows."""
    difference: float
    """``value_a`` − ``value_b``."""
    low: float | None
    """Ends of the difference's 95 % interval, both tokenizers resampled together; ``None`` where there is none."""
    high: float | None
    probability_a_better: float | None
    """Share of resamples in which the first is better, ties counting half; ``None`` without resamples or direction."""
    windows_shared: int
    """Windows that both have."""
    sources_shared: int
    """Source videos of those windows."""
    note: str = ""
    """Warnings of the two figures."""


def paired_difference(
    metric: Metric,
    windows_a: Sequence[MeasuredWindow],
    windows_b: Sequence[MeasuredWindow],
    facts_a: Mapping[str, float],
    facts_b: Mapping[str, float],
) -> PairedDifference | Unavailable:
    """Difference between two tokenizers over the windows they share, with an interval clustered by source video.

    Both are resampled with the same draws, so what makes a video hard for both cancels.
    """
    shared = {window.key for window in windows_a} & {window.key for window in windows_b}
    if not shared and metric.needs != "model":
        return Unavailable("the two share no measured window", "run both on the same dataset under the same protocol")
    kept_a = [window for window in windows_a if window.key in shared]
    kept_b = [window for window in windows_b if window.key in shared]
    estimate_a, estimate_b = metric.aggregate(kept_a, facts_a), metric.aggregate(kept_b, facts_b)
    for estimate in (estimate_a, estimate_b):
        if isinstance(estimate, Unavailable):
            return estimate
    assert isinstance(estimate_a, Estimate)
    assert isinstance(estimate_b, Estimate)
    differences = _resampled_differences(metric, kept_a, kept_b)
    low, high = (None, None) if differences is None else percentile_interval(differences)
    return PairedDifference(
        value_a=estimate_a.value,
        value_b=estimate_b.value,
        difference=estimate_a.value - estimate_b.value,
        low=low,
        high=high,
        probability_a_better=_probability_better(metric, differences),
        windows_shared=len(shared),
        sources_shared=len({source for source, _ in shared}),
        note="; ".join(dict.fromkeys(note for note in (estimate_a.note, estimate_b.note) if note)),
    )


def _resampled_differences(
    metric: Metric, windows_a: Sequence[MeasuredWindow], windows_b: Sequence[MeasuredWindow]
) -> np.ndarray | None:
    num_sources = len({window.source for window in windows_a})
    if num_sources < 2:
        return None
    counts = resample_counts(num_sources, metric.num_resamples)
    values_a, values_b = metric.resample(windows_a, counts), metric.resample(windows_b, counts)
    return None if values_a is None or values_b is None else values_a - values_b


def _probability_better(metric: Metric, differences: np.ndarray | None) -> float | None:
    if differences is None or metric.direction == "none":
        return None
    gains = differences if metric.direction == "higher" else -differences
    return float(np.mean((gains > 0) + 0.5 * (gains == 0)))
