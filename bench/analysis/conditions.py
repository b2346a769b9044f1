"""The conditions that speeds were measured under: machine, software, precision, batch and size.

Speeds under two conditions never stand in one column, and are never compared.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ...tokenizers.spec import NETWORK_SETTINGS, InferenceSettings
from ..metrics.interface import Metric
from ..metrics.repetitions import MEASUREMENT, Repetitions
from ..metrics.sources import sorted_windows
from .cell_results import CellResults

FigureKey = tuple[str, str, str, str]
"""Label, dataset, hash of the protocol and metric."""


def cell_repetitions(result: CellResults, metric: Metric) -> list[Repetitions]:
    """The repetitions of a cell, one item for each time that it was timed; none where an earlier version ran it."""
    found = (Repetitions.from_arrays(window.arrays) for window in sorted_windows(result.windows(metric)))
    return [one for one in found if one is not None]


def conditions_of(result: CellResults, metric: Metric) -> str:
    """What a cell's speeds were measured under, in words; empty where no repetitions are kept."""
    repeated = cell_repetitions(result, metric)
    if not repeated:
        return ""
    # Ledgers of earlier versions lack the newer settings.
    settings = InferenceSettings().as_dict() | result.cell.settings
    changed = [name for name in sorted(NETWORK_SETTINGS) if settings[name] != getattr(InferenceSettings(), name)]
    executed = [f"{name}={settings[name]}" for name in changed]
    return ", ".join([repeated[0].conditions, settings["precision"], *executed])


def separate_conditions(
    chosen: Mapping[FigureKey, tuple[CellResults, Metric]], rows: Mapping[FigureKey, dict[str, Any]]
) -> None:
    """Give speeds under other conditions than their column's a column of their own, with a note that says which.

    A column's conditions are those of its own that most speeds of all columns have, so that encode and decode agree.

    Args:
        chosen: cell and metric of each figure.
        rows: rows of the results table, changed in place.
    """
    columns: dict[tuple[str, ...], dict[FigureKey, str]] = {}
    for place, (result, metric) in chosen.items():
        if metric.measurement == MEASUREMENT and not math.isnan(rows[place]["value"]):
            columns.setdefault(place[1:], {})[place] = conditions_of(result, metric)
    # One numbering for all speeds, so that a row's encode and decode stand under one number.
    counted = Counter(conditions for column in columns.values() for conditions in column.values())
    numbers = {conditions: number for number, (conditions, _) in enumerate(counted.most_common(), start=1)}
    for column in columns.values():
        home = min(column.values(), key=lambda conditions: numbers[conditions])
        for place, conditions in column.items():
            if conditions != home:
                row, number = rows[place], numbers[conditions]
                described = conditions or "while its run went on, by an earlier version of toklab"
                rows[place].update(
                    metric=f"{row['metric']}@{number}",
                    title=f"{row['title']} @{number}",
                    note="; ".join(filter(None, (row["note"], f"measured under other conditions: {described}"))),
                    display_low=math.nan,
                    display_high=math.nan,
                )
