"""Comparing speeds: only under the same conditions, and only where the repetitions were made in turn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..catalog.broken_metric import figure
from ..metrics.interface import Estimate, Metric
from ..metrics.repetitions import Repetitions
from ..metrics.throughput import SpeedMetric
from ..statistics.paired_speeds import SpeedRatio, compare_speeds
from .cell_results import CellResults
from .compared_pairs import Side, SidePair, named_pair
from .comparison_row import ComparedPair, described_pair
from .conditions import cell_repetitions, conditions_of
from .speed_ranking import RankedSpeedColumn, rank_speed_column
from .table_columns import cells_of_column, place_among, table_family

NOT_IN_TABLE = "the table doesn't rank them together, because more of their group were timed in turn without them"


class SpeedsNotComparable(ValueError):
    """Why two speeds can't be compared."""


class TableSpeeds:
    """The speeds of the run's table, group by group, ranked once each."""

    def __init__(self, metric: SpeedMetric, results: Sequence[CellResults]):
        """``results``: every cell of the table."""
        self._metric = metric
        self._results = results
        self._columns: dict[tuple[str, ...], tuple[list[CellResults], RankedSpeedColumn]] = {}

    def num_judged(self, pair: SidePair) -> int:
        """How many pairs the table judges together with this one; 0 where it doesn't rank the two together."""
        key = table_family(pair)
        if key is None:
            return 0
        if key not in self._columns:
            cells = cells_of_column(self._results, key, self._metric)
            self._columns[key] = (cells, rank_speed_column(cells, self._metric))
        cells, column = self._columns[key]
        family = column.family(place_among(cells, pair[0]), place_among(cells, pair[1]))
        return family.num_judged if family is not None else 0


def compare_speed_pairs(
    metric: SpeedMetric, pairs: Sequence[SidePair], left_out: list[str], table: TableSpeeds | None, *, is_table: bool
) -> Iterator[ComparedPair]:
    """Compare tokenizers by the ratio of their median speeds, all pairs together.

    Args:
        metric: the speed.
        pairs: on one dataset, under one protocol.
        left_out: takes sentences on what can't be compared, with the reason.
        table: the run's table, whose verdicts are given, too.
        is_table: whether pairs are judged as the table does.

    Yields:
        Each pair that can be compared, and its row of a comparison. The verdict is that of the interval of the median
        of paired ratios, which the note has.
    """
    able: list[tuple[SidePair, np.ndarray]] = []
    for pair in pairs:
        try:
            able.append((pair, _paired_speeds(metric, pair)))
        except SpeedsNotComparable as error:
            left_out.append(f"{named_pair(metric, pair)}: {error}")
    for pair, speeds in able:
        in_table = table.num_judged(pair) if table is not None else 0
        if is_table and not in_table:
            left_out.append(f"{named_pair(metric, pair)}: {NOT_IN_TABLE}")
            continue
        num_pairs = in_table if is_table else len(able)
        row = _row(metric, pair, compare_speeds(speeds, num_judged=num_pairs).ratios[0], num_pairs)
        if in_table and not is_table:
            row["table_verdict"] = _verdict(metric, compare_speeds(speeds, num_judged=in_table).ratios[0])
        yield pair, row


def _paired_speeds(metric: SpeedMetric, pair: SidePair) -> np.ndarray:
    """(repetitions, 2) speeds of two tokenizers that may be compared.

    Raises:
        SpeedsNotComparable: with the reason.
    """
    repeated = [_only_repetitions(metric, side) for side in pair]
    conditions = [conditions_of(side.results, metric) for side in pair]
    if conditions[0] != conditions[1]:
        raise SpeedsNotComparable(f"timed under different conditions: {'; '.join(conditions)}")
    if not repeated[0].is_interleaved_with(repeated[1]):
        alone = [f"{side.name} was {one.why_alone}" for side, one in zip(pair, repeated, strict=True) if one.why_alone]
        raise SpeedsNotComparable(
            "their repetitions weren't made in turn, so a change of the machine between them can't be told from theirs"
            + "".join(f"; {why}" for why in alone)
        )
    if len(_figures(metric, pair)) < 2:
        raise SpeedsNotComparable("one of them has no figure")
    return np.stack([metric.per_repetition(one) for one in repeated], axis=1)


def _only_repetitions(metric: Metric, side: Side) -> Repetitions:
    repeated = cell_repetitions(side.results, metric)
    if not repeated:
        raise SpeedsNotComparable(f"{side.name} has no repetitions: it was timed while its run went on")
    if len(repeated) > 1:
        raise SpeedsNotComparable(f"{side.name} was timed {len(repeated)} times")
    return repeated[0]


def _figures(metric: Metric, pair: SidePair) -> list[float]:
    estimates = [figure(metric, side.results.windows(metric), side.results.cell.facts) for side in pair]
    return [estimate.value for estimate in estimates if isinstance(estimate, Estimate)]


def _row(metric: Metric, pair: SidePair, ratio: SpeedRatio, num_pairs: int) -> dict[str, Any]:
    return {
        **described_pair(metric, pair, _figures(metric, pair), _verdict(metric, ratio)),
        "num_pairs": num_pairs,
        "note": _note(ratio, num_pairs),
    }


def _verdict(metric: Metric, ratio: SpeedRatio) -> str:
    if ratio.separable is None:
        return "no verdict"
    if not ratio.separable:
        return "not separable"
    return "A" if (ratio.interval.value > 1) == (metric.direction == "higher") else "B"


def _note(ratio: SpeedRatio, num_pairs: int) -> str:
    """The ratio with its interval, or with the smallest and the largest of the paired ratios."""
    found = ratio.interval
    text = f"A has {found.value:.3f} times B's median; {found.num_repetitions} paired repetitions"
    if found.correlation is not None:
        text += f", correlation of neighbours {found.correlation:.2f}".replace("-", "−")
    if found.low is None or found.high is None:
        return f"{text}; no interval, paired ratios {found.lowest:.3f} to {found.highest:.3f}"
    low, high = math.floor(found.low * 1000) / 1000, math.ceil(found.high * 1000) / 1000
    at_once = f", which holds for {num_pairs} pairs at once" if num_pairs > 1 else ""
    return f"{text}; 95 % interval of the median of paired ratios{at_once} [{low:.3f}, {high:.3f}]"
