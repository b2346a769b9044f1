"""Side-by-side comparisons of two tokenizers as text.

A comparison is a table with one row for each pair, dataset and metric. Its columns: ``dataset``, ``metric``, ``title``,
``unit``, ``direction``, ``decimals``, ``a``, ``b`` (names), ``value_a``, ``value_b``, ``difference`` (a - b), ``low``,
``high`` (95 % interval of the difference, NaN if there is none), ``windows_shared``, ``count`` (source videos),
``better`` (``a``'s or ``b``'s name where the interval is clear of zero, otherwise empty) and ``note``.
"""

from __future__ import annotations

from typing import Any, cast

import pandas as pd

from ..schema import TableError
from ..text import one_line
from .columns import ARROWS
from .plain import PlainTable, TableFormat, escape_markdown, frame_to_csv, to_markdown, to_terminal

COLUMNS = (
    "dataset", "metric", "title", "unit", "direction", "decimals", "a", "b", "value_a", "value_b", "difference", "low",
    "high", "windows_shared", "count", "better", "note",
)  # fmt: skip
"""What a comparison must have."""

LEFT_OUT = "left_out"
"""Name among the frame's ``attrs`` of a list of sentences: what was not compared, and why."""

HEADINGS = ("Dataset", "Metric", "A", "B", "A − B", "95 % interval", "Windows", "Videos", "Better")
"""What is printed of it."""

ALIGNMENT = "llrrrrrrl"
"""Sides of the headings, as :class:`~.plain.PlainTable` takes them."""


def render_comparison(frame: pd.DataFrame, format: str = "terminal") -> str:
    """A comparison as ``terminal`` text, ``markdown`` or ``csv`` (plain numbers in full precision).

    Below the first two stands what was left out.

    Raises :class:`~..schema.TableError` on an unknown format or missing columns.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise TableError(f"comparison lacks the columns {', '.join(missing)}; it must have: {', '.join(COLUMNS)}")
    if format not in list(TableFormat):
        raise TableError(f"unknown format {format!r} of a comparison; there are: {', '.join(TableFormat)}")
    if format == TableFormat.csv:
        return frame_to_csv(frame)
    pairs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in cast(list[dict[str, Any]], frame.to_dict("records")):
        pairs.setdefault((row["a"], row["b"]), []).append(row)
    left_out = [f"left out: {one_line(sentence)}" for sentence in frame.attrs.get(LEFT_OUT, ())]
    if format == TableFormat.markdown:
        listed = "".join(f"\n{escape_markdown(line)}<br>" for line in left_out)
        return "\n".join(
            f"A: {escape_markdown(a)}<br>\nB: {escape_markdown(b)}\n\n{to_markdown(_table(rows))}\n"
            for (a, b), rows in pairs.items()
        ) + (f"{listed}\n" if listed else "")
    shown = [
        f"A: {one_line(a)}\nB: {one_line(b)}\n{to_terminal(_table(rows), ruled=True)}\n"
        for (a, b), rows in pairs.items()
    ]
    return "".join((*shown, *(f"{line}\n" for line in left_out)))


def _table(rows: list[dict[str, Any]]) -> PlainTable:
    notes = dict.fromkeys(f"{row['title']}: {row['note']}" for row in rows if row["note"])
    return PlainTable(HEADINGS, [_cells(row) for row in rows], ALIGNMENT, tuple(notes))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    decimals = int(row["decimals"])
    unit = f" ({row['unit']})" if row["unit"] else ""
    interval = "–" if pd.isna(row["low"]) else f"[{row['low']:+,.{decimals}f}, {row['high']:+,.{decimals}f}]"
    return (
        row["dataset"],
        f"{row['title']}{unit} {ARROWS[row['direction']]}".rstrip(),
        f"{row['value_a']:,.{decimals}f}",
        f"{row['value_b']:,.{decimals}f}",
        f"{row['difference']:+,.{decimals}f}",
        interval,
        f"{row['windows_shared']:,}",
        f"{row['count']:,}",
        {row["a"]: "A", row["b"]: "B"}.get(row["better"], "not clear"),
    )
