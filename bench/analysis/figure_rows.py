"""A figure as a row of the results table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..metrics.interface import Estimate, MeasuredWindow, Metric, Unavailable
from .cell_results import CellResults


def table_row(result: CellResults, metric: Metric, windows: Sequence[MeasuredWindow] | None = None) -> dict[str, Any]:
    """A metric's figure over a cell as a row of the results table; the value is NaN where it is unavailable.

    ``windows`` are the metric's, where they were already read. Ranks are left open: they take other cells as well.
    """
    return outcome_row(result, metric, result.evaluate(metric, windows), result.reasons(metric))


def outcome_row(
    result: CellResults, metric: Metric, outcome: Estimate | Unavailable, reasons: Mapping[str, int]
) -> dict[str, Any]:
    """What came of a metric as a row of the results table; ``reasons`` say why windows lack it, and of how many."""
    row = _row_without_figure(result, metric)
    if isinstance(outcome, Unavailable):
        return {**row, "note": outcome.reason, "hint": outcome.hint}
    notes = [outcome.note] if outcome.note else []
    notes += [f"{count} windows without it: {reason}" for reason, count in sorted(reasons.items())]
    return {
        **row,
        "value": outcome.value,
        "low": math.nan if outcome.low is None else outcome.low,
        "high": math.nan if outcome.high is None else outcome.high,
        "num_sources": outcome.num_sources,
        "interval_note": outcome.interval_note,
        "count": outcome.count,
        "counted": outcome.counted,
        "note": "; ".join(notes),
        **{name: outcome.details.get(name, math.nan) for name in ("lowest", "highest", "correlation")},
    }


def _row_without_figure(result: CellResults, metric: Metric) -> dict[str, Any]:
    cell = result.cell
    return {
        "system": cell.spec.get("title", cell.tokenizer),
        "tokenizer": cell.tokenizer,
        "label": result.label,
        "regularizer": cell.spec.get("regularizer_label", ""),
        "group": result.group,
        "weights": cell.spec.get("weights", "none"),
        "dataset": result.dataset,
        "protocol": cell.protocol["name"],
        "protocol_hash": cell.protocol_hash,
        "metric": metric.name,
        "title": metric.title,
        "direction": metric.direction,
        "unit": metric.unit,
        "decimals": metric.decimals,
        "display_low": metric.display_range[0],
        "display_high": metric.display_range[1],
        "origin": "measured",
        "citation": cell.spec.get("citation", ""),
        **dict.fromkeys(("value", "low", "high", "lowest", "highest", "correlation"), math.nan),
        **dict.fromkeys(("num_sources", "rank_low", "rank_high", "count"), 0),
        **dict.fromkeys(("interval_note", "rank", "family", "counted", "note", "hint"), ""),
    }
