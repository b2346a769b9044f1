"""Tables of the convention audit: how far each figure moves when only the convention does.

The values have one row a figure and switch. Their columns: ``dataset``, ``protocol``, ``protocol_hash``, ``label``,
``metric``, ``title``, ``unit``, ``decimals``, ``value`` (by the metric's own convention), ``switch`` (what is turned:
``PSNR average``), ``words`` (what it is turned to), ``other`` (the figure then), ``move`` (``other`` − ``value``),
``videos`` and ``windows``. Both figures are over the windows that were measured both ways, which these count; over all
windows of the videos that are whole both ways, where what is turned changes the windows (frames, rate).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from .columns import metric_heading
from .data_frames import records, require_columns
from .plain import NONE, PlainTable

COLUMNS = (
    "dataset", "protocol", "protocol_hash", "label", "metric", "title", "unit", "decimals", "value", "switch", "words",
    "other", "move", "videos", "windows",
)  # fmt: skip
"""What the values must have."""

CONDITION_HEADINGS = (
    "Tokenizer", "Dataset", "Protocol", "Figure", "Switch", "Turned to", "Value", "Then", "Moves by", "Videos",
)  # fmt: skip
"""Columns of the table of conditions; the protocol is the one that nothing was turned in."""


def convention_audit_table(
    frame: pd.DataFrame, notes: Sequence[str] = (), names: Mapping[str, str] | None = None
) -> PlainTable:
    """One line a tokenizer: each figure, and behind it its moves, in columns numbered by switch and explained below.

    A switch that moves no figure by a printed digit has no column, and is named below. Then come ``notes``.
    ``names`` are what labels are printed as.

    Raises:
        TableError: if a column is missing.
    """
    rows = _records(frame)
    moved = {_turn(row) for row in rows if _text(row, "move").strip("+-0.")}
    still = dict.fromkeys(_turn(row) for row in rows if _turn(row) not in moved)
    columns: list[tuple[str, str, str]] = []
    for metric in dict.fromkeys(row["metric"] for row in rows):
        turns = dict.fromkeys(_turn(row) for row in rows if row["metric"] == metric and _turn(row) in moved)
        columns += [(metric, "", ""), *turns] if turns or not moved else []
    titles = {row["metric"]: (row["title"], row["unit"]) for row in rows}
    cells: dict[str, dict[tuple[str, str, str], str]] = {row["label"]: {} for row in rows}
    # Where a switch could be turned on some windows alone, the figure is that of another row.
    for row in sorted(rows, key=lambda row: row["windows"]):
        cells[row["label"]][row["metric"], "", ""] = _text(row, "value")
    for row in rows:
        cells[row["label"]][_turn(row)] = _text(row, "move")
    headings = ["Tokenizer"]
    numbers: dict[str, int] = {}
    for metric, switch, words in columns:
        title, unit = titles[metric]
        if switch:
            headings.append(f"({numbers.setdefault(f'{switch}: {words}', len(numbers) + 1)})")
        else:
            headings.append(metric_heading(title, unit))
    legend = [f"({number}) {turn}" for turn, number in numbers.items()]
    if still:
        named = "; ".join(f"{titles[metric][0]}: {words} ({switch})" for metric, switch, words in still)
        legend.append(f"These move no figure by a printed digit. {named}")
    body = [
        [(names or {}).get(label, label), *(line.get(column, NONE) for column in columns)]
        for label, line in cells.items()
    ]
    return PlainTable(headings, body, "l" + "r" * len(columns), (*legend, *notes))


def condition_audit_table(frame: pd.DataFrame, names: Mapping[str, str] | None = None) -> PlainTable:
    """One line a tokenizer, dataset, metric and turned condition; ``names`` are what labels are printed as.

    Raises:
        TableError: if a column is missing.
    """
    body = [
        (
            (names or {}).get(row["label"], row["label"]),
            row["dataset"],
            row["protocol"],
            metric_heading(row["title"], row["unit"]),
            row["switch"],
            row["words"],
            _text(row, "value"),
            _text(row, "other"),
            _text(row, "move"),
            f"{row['videos']:,}",
        )
        for row in _records(frame)
    ]
    return PlainTable(CONDITION_HEADINGS, body, "llllllrrrr")


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    require_columns(frame, COLUMNS, "table of an audit")
    return records(frame)


def _turn(row: dict[str, Any]) -> tuple[str, str, str]:
    return (row["metric"], row["switch"], row["words"])


def _text(row: dict[str, Any], name: str) -> str:
    if pd.isna(row[name]):
        return NONE
    return f"{row[name]:{'+' if name == 'move' else ''},.{int(row['decimals'])}f}"
