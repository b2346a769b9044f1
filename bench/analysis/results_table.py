"""The table of all figures of a run, with their ranks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pandas as pd

from ...reports.schema import results_frame
from ..catalog.broken_metric import find_metric, guarded
from ..metrics.interface import Estimate, Metric, Unavailable
from ..metrics.throughput import SpeedMetric
from .cell_results import CellResults, measures_anything_of
from .conditions import FigureKey, separate_conditions
from .figure_rows import outcome_row, table_row
from .ranking import rank_column
from .speed_ranking import rank_speed_column


def results_table(results: Iterable[CellResults], *, extrapolation_intervals: bool = False) -> pd.DataFrame:
    """One row a cell and metric, in the columns of :mod:`toklab.reports.schema`.

    Figures of the tokenizer itself (parameters, multiply-adds) name no dataset, unless they differ between protocols.
    A cell that failed takes the place of none that was measured. Ranks are within a family, see :mod:`.ranking`.
    Figures at equal sizes and extrapolated ones are metrics of their own, and aren't ranked.

    Args:
        results: the cells.
        extrapolation_intervals: whether extrapolated figures get their intervals, a minute or more for each.
    """
    chosen = _chosen_cells(results)
    rows: dict[FigureKey, dict[str, Any]] = {place: {} for place in chosen}
    families: dict[tuple[str, str, str, str], list[FigureKey]] = {}
    for place, (result, _) in chosen.items():
        families.setdefault((result.group, *place[1:]), []).append(place)
    for family in families.values():
        _fill_family(family, chosen, rows)
    separate_conditions(chosen, rows)
    extrapolated = _extrapolated(chosen, rows, with_intervals=extrapolation_intervals)
    return results_frame([*_without_repeats(rows, chosen), *_equal_sizes(chosen, rows), *extrapolated])


def _chosen_cells(results: Iterable[CellResults]) -> dict[FigureKey, tuple[CellResults, Metric]]:
    """The cell that each figure is taken from."""
    chosen: dict[FigureKey, tuple[CellResults, Metric]] = {}
    for result in results:
        for name in result.cell.metrics:
            metric = find_metric(name)
            place = (result.label, result.dataset, result.cell.protocol_hash, name)
            if measures_anything_of(metric, result.cell) and (place not in chosen or result.cell.status != "failed"):
                chosen[place] = (result, metric)
    return chosen


def _fill_family(
    family: list[FigureKey], chosen: dict[FigureKey, tuple[CellResults, Metric]], rows: dict[FigureKey, dict[str, Any]]
) -> None:
    """The rows of figures that are ranked together, whose windows are read once."""
    metric = chosen[family[0]][1]
    cells = [chosen[place][0] for place in family]
    windows = [result.windows(metric) for result in cells]
    made = [table_row(result, metric, own) for result, own in zip(cells, windows, strict=True)]
    if metric.direction != "none":
        there = [index for index, row in enumerate(made) if not math.isnan(row["value"])]
        measured = [cells[index] for index in there]
        if isinstance(metric, SpeedMetric):
            figures, notes = rank_speed_column(measured, metric).figures, ("",) * len(there)
        else:
            column = rank_column(measured, metric, [windows[index] for index in there])
            figures, notes = column.figures, column.notes
        for index, rank, note in zip(there, figures, notes, strict=True):
            made[index] |= asdict(rank)
            made[index]["note"] = "; ".join(filter(None, (made[index]["note"], note)))
    rows.update(zip(family, made, strict=True))


def _equal_sizes(
    chosen: dict[FigureKey, tuple[CellResults, Metric]], rows: dict[FigureKey, dict[str, Any]]
) -> Iterable[dict[str, Any]]:
    """Rows of figures at a sample of equal size, in columns of their own, where tokenizers have samples of several."""
    columns: dict[tuple[str, ...], list[FigureKey]] = {}
    for place, row in rows.items():
        if not math.isnan(row["value"]):
            columns.setdefault(place[1:], []).append(place)
    for places in columns.values():
        metric = chosen[places[0]][1]
        if not metric.has_equal_size or len(places) < 2:
            continue
        systems = [chosen[place][0].windows(metric) for place in places]
        found = guarded(metric, "at_equal_size", lambda metric=metric, systems=systems: metric.at_equal_size(systems))
        # Where the code fails, the figure itself is unavailable, and says why.
        if found is None or isinstance(found, Unavailable):
            continue
        note, values = found
        for place, value in zip(places, values, strict=True):
            yield _row_beside(chosen[place][0], metric, Estimate(value, 0, "", note=note), "equal")


def _extrapolated(
    chosen: dict[FigureKey, tuple[CellResults, Metric]], rows: dict[FigureKey, dict[str, Any]], *, with_intervals: bool
) -> Iterable[dict[str, Any]]:
    """Rows of what figures would be for infinitely many windows, in columns of their own."""
    for place, row in rows.items():
        result, metric = chosen[place]
        if not metric.has_limit or math.isnan(row["value"]):
            continue
        windows = result.windows(metric)
        found = result.stated.get(f"{metric.name}-extrapolated") or guarded(
            metric,
            "extrapolated",
            lambda metric=metric, windows=windows: metric.extrapolated(windows, with_interval=with_intervals),
        )
        if found is None or isinstance(found, Unavailable):
            continue
        yield _row_beside(result, metric, found, "extrapolated")


def _row_beside(result: CellResults, metric: Metric, estimate: Estimate, kind: str) -> dict[str, Any]:
    """A row of another figure by a metric, in a column of its own beside the metric's."""
    return {
        **outcome_row(result, metric, estimate, {}),
        "metric": f"{metric.name}-{kind}",
        "title": f"{metric.title} ({kind})",
        "display_low": math.nan,
        "display_high": math.nan,
    }


def _without_repeats(
    rows: dict[FigureKey, dict[str, Any]], chosen: dict[FigureKey, tuple[CellResults, Metric]]
) -> Iterable[dict[str, Any]]:
    """The rows; a tokenizer's own figures once, unless they differ."""
    own: dict[tuple[str, str], FigureKey] = {}
    for place, row in rows.items():
        if chosen[place][1].needs != "model":
            continue
        known = own.setdefault((place[0], place[3]), place)
        # Where a cell that failed comes first, a later one may have the figure.
        if math.isnan(rows[known]["value"]) and not math.isnan(row["value"]):
            own[place[0], place[3]] = place
    for place, row in rows.items():
        general = own.get((place[0], place[3]))
        if general is None:
            yield row
        elif general == place:
            yield {**row, "dataset": "", "protocol": "", "protocol_hash": ""}
        elif rows[general]["value"] != row["value"] and not math.isnan(row["value"]):
            yield row
