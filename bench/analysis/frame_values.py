"""Figures of single frames: what a page and strips show beside a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..catalog.broken_metric import find_metric, guarded
from ..ledger.records import Row
from ..metrics.interface import MeasuredWindow, Metric, Unavailable
from ..metrics.ratio import RatioMetric
from ..metrics.window_columns import WindowColumns
from ..statistics.ratios import IDENTITY
from .cell_results import CellResults, measures_anything_of

WindowKey = tuple[str, int]
"""Key of the video, and the window's index in it."""


class FrameValues:
    """Values of single frames of some windows of a cell, read once.

    Args:
        result: the cell.
        places: of the windows among its rows.
    """

    def __init__(self, result: CellResults, places: Sequence[int]):
        self._windows: dict[str, dict[WindowKey, np.ndarray]] = {}
        for name in result.cell.metrics:
            metric = find_metric(name)
            if measures_anything_of(metric, result.cell):
                windows = windows_at(result.windows(metric), places)
                found = guarded(metric, "numerators", lambda m=metric, w=windows: frame_values(m, w))
                self._windows[name] = {} if isinstance(found, Unavailable) else found

    def of(self, row: Row) -> dict[str, tuple[float, ...]]:
        """Name of a metric → its value on each frame of a window; metrics without such values are left out."""
        return {name: tuple(windows[row.key].tolist()) for name, windows in self._windows.items() if row.key in windows}


def windows_at(windows: Sequence[MeasuredWindow], places: Sequence[int]) -> Sequence[MeasuredWindow]:
    """Those of the windows that lie at some places among the cell's rows; all of them where they know no places."""
    if not isinstance(windows, WindowColumns):
        return windows
    return list(windows.take(np.flatnonzero(np.isin(windows.row_places, places))))


def frame_values(metric: Metric, windows: Sequence[MeasuredWindow]) -> dict[WindowKey, np.ndarray]:
    """(frames,) float64 of each window, where the metric's figure is the mean of its frames' values."""
    if not isinstance(metric, RatioMetric) or metric.link is not IDENTITY or metric.counted != "frames":
        return {}
    whole = [window for window in windows if metric.denominator(window) == window.num_frames]
    values = {window.key: np.asarray(metric.numerators(window), dtype=np.float64) for window in whole}
    return {window.key: values[window.key] for window in whole if len(values[window.key]) == window.num_frames}
