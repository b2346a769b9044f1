"""A column of one group of a run's table: the cells that are ranked together."""

from __future__ import annotations

from collections.abc import Sequence

from ..metrics.interface import Estimate, Metric
from .cell_results import CellResults
from .compared_pairs import Side, SidePair, place_of

TableFamily = tuple[str, ...]
"""Group, dataset and hash of the protocol."""


def table_family(pair: SidePair) -> TableFamily | None:
    """Where a table ranks a pair together; ``None`` where it ranks them apart."""
    one, other = ((side.results.group, *place_of(side.results)) for side in pair)
    return one if one == other else None


def cells_of_column(table: Sequence[CellResults], family: TableFamily, metric: Metric) -> list[CellResults]:
    """The cells of a family that have a figure by a metric; of cells of one label the last one."""
    cells = {
        result.label: result
        for result in table
        if (result.group, *place_of(result)) == family
        and result.cell.status != "failed"
        and metric.name in result.cell.metrics
        and isinstance(result.evaluate(metric), Estimate)
    }
    return list(cells.values())


def place_among(cells: Sequence[CellResults], side: Side) -> int:
    """The place of a side's cell among some; -1 where it isn't among them."""
    return next((place for place, cell in enumerate(cells) if cell is side.results), -1)
