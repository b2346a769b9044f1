"""The table of measured figures beside published ones.

The values have one row a published figure. Their columns: ``system`` (the row of the source), ``card`` (its model;
empty where there is none), ``label`` (the run's row; empty where nothing was measured), ``dataset``, ``protocol``,
``metric`` (as it is published), ``title``, ``unit``, ``decimals`` (printed by the source), ``measured`` with ``low``
and ``high`` (NaN where there is none) and ``videos``, ``published``, ``accepted_low`` and ``accepted_high`` (the
published figures that would be called reproduced; NaN where nothing can be compared), ``verdict``, ``reason``,
``explained_by`` (what would agree with the published figure), ``note`` and ``source``.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from .columns import metric_heading
from .data_frames import records, require_columns
from .plain import NONE, PlainTable

COLUMNS = (
    "system", "card", "label", "dataset", "protocol", "metric", "title", "unit", "decimals", "measured", "low", "high",
    "videos", "published", "accepted_low", "accepted_high", "verdict", "reason", "explained_by", "note", "source",
)  # fmt: skip
"""What the values must have."""

HEADINGS = ("Row", "Dataset", "Figure", "Measured", "Published", "Accepted", "Verdict", "Notes")
ALIGNMENT = "lllrrrll"


def published_check_table(frame: pd.DataFrame) -> PlainTable:
    """The checks as printed; reasons, switches and sources are numbered and stand below.

    Raises:
        TableError: if a column is missing.
    """
    require_columns(frame, COLUMNS, "table of checks")
    numbers: dict[str, int] = {}
    rows = [_cells(row, numbers) for row in records(frame)]
    return PlainTable(HEADINGS, rows, ALIGNMENT, tuple(f"({number}) {note}" for note, number in numbers.items()))


def _cells(row: dict[str, Any], numbers: dict[str, int]) -> tuple[str, ...]:
    decimals = int(row["decimals"])
    accepted = NONE
    if not pd.isna(row["accepted_low"]):
        # One digit more than the source prints, so that the ends aren't rounded past a figure.
        accepted = f"{row['accepted_low']:,.{decimals + 1}f} to {row['accepted_high']:,.{decimals + 1}f}"
    explained = f"what would agree: {row['explained_by']}" if row["explained_by"] else ""
    notes = [note for note in (row["reason"], explained, f"published: {row['source']}", row["note"]) if note]
    marks = [f"({numbers.setdefault(note, len(numbers) + 1)})" for note in dict.fromkeys(notes)]
    return (
        row["label"] or row["system"],
        row["dataset"] or NONE,
        metric_heading(row["title"], row["unit"]),
        NONE if pd.isna(row["measured"]) else f"{row['measured']:,.{decimals + 1}f}",
        f"{row['published']:,.{decimals}f}",
        accepted,
        row["verdict"],
        " ".join(marks),
    )
