"""One metric of two tokenizers on the windows that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..catalog.broken_metric import code_fails, figure
from ..catalog.plugin_code import plugin_code
from ..metrics.interface import Estimate, MeasuredWindow, Metric, Unavailable
from ..statistics.intervals import resample_counts
from ..statistics.pairs import DifferenceInterval, difference_interval


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
    """Source videos of those windows, copies of one video counted once."""
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
    estimate_a, estimate_b = figure(metric, kept_a, facts_a), figure(metric, kept_b, facts_b)
    for estimate in (estimate_a, estimate_b):
        if isinstance(estimate, Unavailable):
            return estimate
    assert isinstance(estimate_a, Estimate)
    assert isinstance(estimate_b, Estimate)
    try:
        with plugin_code():
            interval = _interval(metric, kept_a, kept_b)
    except Exception as error:
        return code_fails(error)
    return PairedDifference(
        value_a=estimate_a.value,
        value_b=estimate_b.value,
        difference=estimate_a.value - estimate_b.value,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        probability_a_better=_probability_better(metric, interval),
        windows_shared=len(shared),
        sources_shared=len({window.source for window in kept_a}),
        note="; ".join(dict.fromkeys(note for note in (estimate_a.note, estimate_b.note) if note)),
    )


def _interval(
    metric: Metric, windows_a: Sequence[MeasuredWindow], windows_b: Sequence[MeasuredWindow]
) -> DifferenceInterval | None:
    num_sources = len({window.source for window in windows_a})
    if num_sources < 2:
        return None
    counts = resample_counts(num_sources, metric.num_resamples)
    values_a, values_b = metric.resample(windows_a, counts), metric.resample(windows_b, counts)
    return None if values_a is None or values_b is None else difference_interval(values_a, values_b)


def _probability_better(metric: Metric, interval: DifferenceInterval | None) -> float | None:
    if interval is None or metric.direction == "none":
        return None
    return interval.share_positive if metric.direction == "higher" else 1 - interval.share_positive
