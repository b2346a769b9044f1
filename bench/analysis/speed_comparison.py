"""Comparing speeds: only under the same conditions, and only where the repetitions were made in turn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...reports.tables.comparison import EMPTY_ROW
from ..catalog.broken_metric import figure
from ..metrics.interface import Estimate, Metric
from ..metrics.repetitions import Repetitions
from ..metrics.throughput import SpeedMetric
from ..statistics.order_statistics import MedianInterval, ratio_of_medians
from .conditions import cell_repetitions, conditions_of
from .results import CellResults


class SpeedsNotComparable(ValueError):
    """Why two speeds can't be compared."""


def compare_speeds(metric: SpeedMetric, names: Sequence[str], results: Sequence[CellResults]) -> dict[str, Any]:
    """Compare two tokenizers by the ratio of their median speeds.

    Args:
        metric: the speed.
        names: of the two.
        results: their cells.

    Returns:
        A row of a comparison. The verdict is that of the interval of the median of paired ratios, which the note has.

    Raises:
        SpeedsNotComparable: with the reason.
    """
    first, second = (_only_repetitions(metric, *side) for side in zip(names, results, strict=True))
    conditions = [conditions_of(result, metric) for result in results]
    if conditions[0] != conditions[1]:
        raise SpeedsNotComparable(f"timed under different conditions: {'; '.join(conditions)}")
    if not first.is_interleaved_with(second):
        raise SpeedsNotComparable(
            "their repetitions weren't made in turn, so a change of the machine between them can't be told from theirs"
        )
    estimates = [figure(metric, result.windows(metric), result.cell.facts) for result in results]
    values = [estimate.value for estimate in estimates if isinstance(estimate, Estimate)]
    if len(values) < 2:
        raise SpeedsNotComparable("one of them has no figure")
    ratio = ratio_of_medians(metric.per_repetition(first), metric.per_repetition(second))
    verdict = _verdict(metric, ratio)
    return {
        **EMPTY_ROW,
        "dataset": results[0].dataset,
        "metric": metric.name,
        "title": metric.title,
        "unit": metric.unit,
        "direction": metric.direction,
        "decimals": metric.decimals,
        "a": names[0],
        "b": names[1],
        "value_a": values[0],
        "value_b": values[1],
        "difference": values[0] - values[1],
        "better": dict(zip("AB", names, strict=True)).get(verdict, ""),
        "verdict": verdict,
        "note": _note(ratio),
    }


def _only_repetitions(metric: Metric, name: str, result: CellResults) -> Repetitions:
    repeated = cell_repetitions(result, metric)
    if not repeated:
        raise SpeedsNotComparable(f"{name} has no repetitions: it was timed while its run went on")
    if len(repeated) > 1:
        raise SpeedsNotComparable(f"{name} was timed {len(repeated)} times")
    return repeated[0]


def _verdict(metric: Metric, ratio: MedianInterval) -> str:
    if ratio.low is None or ratio.high is None:
        return "no verdict"
    if ratio.low <= 1 <= ratio.high:
        return "not separable"
    return "A" if (ratio.low > 1) == (metric.direction == "higher") else "B"


def _note(ratio: MedianInterval) -> str:
    """The ratio with its interval, or with the smallest and the largest of the paired ratios."""
    text = f"A has {ratio.value:.3f} times B's median; {ratio.num_repetitions} paired repetitions"
    if ratio.correlation is not None:
        text += f", correlation of neighbours {ratio.correlation:.2f}".replace("-", "−")
    if ratio.low is None or ratio.high is None:
        return f"{text}; no interval, paired ratios {ratio.lowest:.3f} to {ratio.highest:.3f}"
    low, high = math.floor(ratio.low * 1000) / 1000, math.ceil(ratio.high * 1000) / 1000
    return f"{text}; 95 % interval of the median of paired ratios [{low:.3f}, {high:.3f}]"
