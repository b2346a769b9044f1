"""Every window's figures as a tidy table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from ..catalog.broken_metric import figure, find_metric
from ..metrics.interface import Estimate, MeasuredWindow, Metric
from .cell_results import CellResults, measures_anything_of

WINDOW_COLUMNS = (
    "label",
    "tokenizer",
    "dataset",
    "protocol",
    "protocol_hash",
    "source",
    "window",
    "num_frames",
    "metric",
    "unit",
    "value",
    "status",
    "reason",
)
NOT_OF_WINDOWS = ("features", "model")
"""What metrics need that say nothing of a single window."""


def window_table(results: Iterable[CellResults]) -> pd.DataFrame:
    """One line a window and metric, in the columns of :data:`WINDOW_COLUMNS`, in the order of cells and windows."""
    return pd.DataFrame(
        [line for result in results for line in _cell_lines(result)],
        columns=pd.Index(WINDOW_COLUMNS),
    )


def _cell_lines(result: CellResults) -> Iterator[dict[str, Any]]:
    cell = result.cell
    place = {
        "label": result.label,
        "tokenizer": cell.tokenizer,
        "dataset": result.dataset,
        "protocol": cell.protocol["name"],
        "protocol_hash": cell.protocol_hash,
    }
    for name in cell.metrics:
        metric = find_metric(name)
        if metric.needs in NOT_OF_WINDOWS or not measures_anything_of(metric, cell):
            continue
        measured = {window.key: window for window in result.windows(metric)}
        for row in result.rows:
            value, reason = _figure(result, metric, measured.get(row.key), row.key)
            yield {
                **place,
                "source": row.source,
                "window": row.window,
                "num_frames": len(row.frame_ids),
                "metric": name,
                "unit": metric.unit,
                "value": value,
                "status": row.status,
                "reason": row.reason or reason or row.note,
            }


def _figure(
    result: CellResults, metric: Metric, window: MeasuredWindow | None, key: tuple[str, int]
) -> tuple[float, str]:
    if why := result.lacks_windows(metric):
        return math.nan, why
    if window is None:
        measurement = result.measurements.get(key, {}).get(metric.measurement_key)
        missing = result.cell.unavailable.get(metric.name, ("not measured", ""))[0]
        return math.nan, measurement.reason if measurement is not None else missing
    outcome = figure(metric, [window], result.cell.facts)
    return (outcome.value, "") if isinstance(outcome, Estimate) else (math.nan, outcome.reason)
