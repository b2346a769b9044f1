"""Measured windows by the source video they come from: the units that intervals rest on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from ..statistics.intervals import percentile_interval, resample_counts
from .interface import MeasuredWindow, Metric


def sorted_windows(windows: Iterable[MeasuredWindow]) -> list[MeasuredWindow]:
    """Windows by source, file and index: the order every sum and every resample goes by."""
    return sorted(windows, key=lambda window: (window.source, *window.key))


def windows_by_source(windows: Iterable[MeasuredWindow]) -> list[list[MeasuredWindow]]:
    """The windows of each source video, sources and windows sorted."""
    grouped = itertools.groupby(sorted_windows(windows), key=lambda window: window.source)
    return [list(group) for _, group in grouped]


def bootstrap_interval(metric: Metric, windows: Sequence[MeasuredWindow]) -> tuple[float | None, float | None]:
    """Ends of the metric's 95 % interval; ``None`` with fewer than two sources, or where it can't be resampled."""
    num_sources = len({window.source for window in windows})
    if num_sources < 2:
        return None, None
    values = metric.resample(windows, resample_counts(num_sources, metric.num_resamples))
    return (None, None) if values is None else percentile_interval(values)
