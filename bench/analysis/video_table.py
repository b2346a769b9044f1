"""Figures of single videos and of single frames: what a page shows behind a figure."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...reports.formats.interface import VIDEO_COLUMNS
from ...reports.text import one_line
from ..catalog.broken_metric import find_metric, guarded
from ..ledger.records import Row
from ..metrics.interface import MeasuredWindow, Metric, Unavailable
from ..metrics.ratio import RatioMetric
from ..metrics.sources import source_files
from ..metrics.window_columns import WindowColumns
from ..statistics.ratios import IDENTITY
from .cell_results import CellResults, measures_anything_of
from .results import RunResults


def video_table(results: Iterable[CellResults]) -> pd.DataFrame:
    """One line a video and metric, in :data:`~toklab.reports.formats.interface.VIDEO_COLUMNS`.

    The value is the metric's over the usable windows of the video. Metrics that mean nothing there, such as FVD, and
    videos without a value are left out.
    """
    lines = [line for result in results for line in _cell_lines(result)]
    return pd.DataFrame(lines, columns=pd.Index(VIDEO_COLUMNS))


def _cell_lines(result: CellResults) -> Iterator[dict[str, Any]]:
    for name in result.cell.metrics:
        metric = find_metric(name)
        if not measures_anything_of(metric, result.cell):
            continue
        windows = result.windows(metric)
        means = guarded(metric, "source_means", lambda m=metric, w=windows: _means(m, w))
        if isinstance(means, Unavailable):
            # The figure itself is unavailable then, and says why.
            continue
        files = {source: {one_line(file) for file in files} for source, files in source_files(windows).items()}
        for source, value in means.items():
            if source in files and math.isfinite(value):
                yield {
                    "label": result.label,
                    "dataset": result.dataset,
                    "protocol_hash": result.cell.protocol_hash,
                    "metric": name,
                    "files": tuple(sorted(files[source])),
                    "value": value,
                }


def _means(metric: Metric, windows: Sequence[MeasuredWindow]) -> dict[str, float]:
    usable = metric.usable(windows)
    return {source: float(value) for source, value in metric.source_means(usable).items()} if usable else {}


class FrameValues:
    """Values of single frames of some windows of a cell, read once.

    Args:
        result: the cell.
        index: places of the windows among its rows.
    """

    def __init__(self, result: CellResults, index: Sequence[int]):
        self._windows: dict[str, Mapping[tuple[str, int], np.ndarray]] = {}
        for name in result.cell.metrics:
            metric = find_metric(name)
            if measures_anything_of(metric, result.cell):
                found = guarded(metric, "numerators", lambda m=metric: _by_window(m, _some(result.windows(m), index)))
                self._windows[name] = {} if found is None or isinstance(found, Unavailable) else found

    def of(self, row: Row) -> dict[str, tuple[float, ...]]:
        """Name of a metric → its value on each frame of a window; metrics without such values are left out."""
        return {name: tuple(windows[row.key].tolist()) for name, windows in self._windows.items() if row.key in windows}


def _some(windows: Sequence[MeasuredWindow], index: Sequence[int]) -> Sequence[MeasuredWindow]:
    if not isinstance(windows, WindowColumns):
        return windows
    return list(windows.take(np.flatnonzero(np.isin(windows.row_places, index))))


def _by_window(metric: Metric, windows: Sequence[MeasuredWindow]) -> dict[tuple[str, int], np.ndarray]:
    """The values of the frames of each window, where the metric's figure is their mean."""
    if not isinstance(metric, RatioMetric) or metric.link is not IDENTITY or metric.counted != "frames":
        return {}
    whole = [window for window in windows if metric.denominator(window) == window.num_frames]
    values = {window.key: np.asarray(metric.numerators(window), dtype=np.float64) for window in whole}
    return {window.key: values[window.key] for window in whole if len(values[window.key]) == window.num_frames}


def keep_command(run: RunResults) -> str:
    """The command that runs the same once more and keeps all reconstructions; empty where it can't be told.

    It takes a new run folder: windows that are in the ledger aren't run again.
    """
    if run.folder is None:
        # Several runs have several commands, and a record has no videos.
        return ""
    words = run.provenance[-1].get("command", []) if run.provenance else []
    if len(words) > 1 and Path(words[0]).name == "toklab" and words[1] == "run":
        given = _without_options(words[2:], ("--keep-recon", "--out", "-o"))
    elif run.suite is not None and run.suite.name != "custom":
        given = [run.suite.name]
    else:
        return ""
    return one_line(
        shlex.join(["toklab", "run", *given, "--keep-recon", "all", "--out", f"runs/{run.folder.name}-kept"])
    )


def _without_options(words: Sequence[str], options: Sequence[str]) -> list[str]:
    kept: list[str] = []
    following = iter(words)
    for word in following:
        if word in options:
            next(following, None)
        elif word.split("=")[0] not in options:
            kept.append(word)
    return kept
