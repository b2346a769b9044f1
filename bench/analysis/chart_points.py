"""The points of a run's charts, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ..catalog.broken_metric import find_metric
from ..metrics.code_counts import common_tokens, growth_curve, marginals, total_counts
from ..metrics.codebook import CodebookUtilization
from ..metrics.psnr import FramePsnr, psnr_by_position
from ..metrics.sources import source_files
from .cell_results import CellResults
from .video_table import video_values


def quality_by_video(results: Sequence[CellResults], name: str) -> pd.DataFrame:
    """A metric of each video alone: ``label``, ``source`` (name of the video), ``value``.

    Without rows where the metric means nothing of a single video.
    """
    metric = find_metric(name)
    rows: list[tuple[str, str, float]] = []
    for result in results:
        windows = result.windows(metric) if name in result.cell.metrics else []
        files = source_files(windows)
        rows += [(result.label, files[source][0], value) for source, value in video_values(metric, windows).items()]
    return pd.DataFrame(rows, columns=["label", "source", "value"])


def position_table(results: Sequence[CellResults]) -> pd.DataFrame:
    """PSNR by frame position: ``label``, ``position`` from 0, ``psnr``, ``low`` and ``high`` in dB, ``windows``.

    Without rows where every window is one frame.
    """
    metric = FramePsnr()
    rows: list[tuple[Any, ...]] = []
    for result in results:
        curve = psnr_by_position(metric.usable(result.windows(metric)))
        columns = (curve.psnr, curve.low, curve.high, curve.count)
        rows += [(result.label, position, *values) for position, values in enumerate(zip(*columns, strict=True))]
    if all(position == 0 for _, position, *_ in rows):
        rows = []
    return pd.DataFrame(rows, columns=["label", "position", "psnr", "low", "high", "windows"])


def growth_table(results: Sequence[CellResults]) -> pd.DataFrame:
    """Expected codebook use among some of the tokens, up to all of them.

    Columns: ``label``, ``tokens``, ``utilization`` and ``bound`` in percent, ``entries``, and ``compared_at``, the
    number of tokens at which the table compares the label with others; 0 where it doesn't.
    """
    metric = CodebookUtilization()
    counted = [(result, total_counts(windows)) for result in results if (windows := result.windows(metric))]
    in_table = [totals for result, totals in counted if metric.name in result.cell.metrics]
    smallest = common_tokens(in_table) if len(in_table) > 1 else 0
    rows: list[tuple[Any, ...]] = []
    for result, totals in counted:
        compared = smallest if metric.name in result.cell.metrics else 0
        rows += [
            (result.label, at.tokens, 100 * at.utilization, 100 * at.bound, sum(map(len, totals)), compared)
            for at in growth_curve(totals, [compared] if compared else [])
        ]
    return pd.DataFrame(rows, columns=["label", "tokens", "utilization", "bound", "entries", "compared_at"])


def marginals_table(results: Sequence[CellResults]) -> pd.DataFrame:
    """Levels of scalar quantizers: ``label``, ``codebook``, ``dimension``, ``level`` from 0, ``share`` in percent."""
    rows: list[tuple[Any, ...]] = []
    for result in results:
        if windows := result.windows(CodebookUtilization()):
            rows += [
                (result.label, book, dimension, level, 100 * float(share))
                for book, dimensions in enumerate(marginals(windows))
                for dimension, shares in enumerate(dimensions)
                for level, share in enumerate(shares)
            ]
    return pd.DataFrame(rows, columns=["label", "codebook", "dimension", "level", "share"])
