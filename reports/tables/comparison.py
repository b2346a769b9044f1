"""Side-by-side comparisons of two tokenizers as text.

A comparison is a table with one row for each pair, dataset and metric. Its columns: ``dataset``, ``metric``, ``title``,
``unit``, ``direction``, ``decimals``, ``a``, ``b`` (names), ``value_a``, ``value_b``, ``difference`` (a - b), ``low``,
``high`` (95 % interval of the difference, NaN if there is none), ``windows_shared``, ``count`` (source videos),
``better`` (``a``'s or ``b``'s name where the interval is clear of zero, otherwise empty) and ``note``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pandas as pd
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..schema import TableError
from .columns import ARROWS
from .markdown import escape_markdown, pipe_table
from .terminal import print_to_text

COLUMNS = (
    "dataset", "metric", "title", "unit", "direction", "decimals", "a", "b", "value_a", "value_b", "difference", "low",
    "high", "windows_shared", "count", "better", "note",
)  # fmt: skip
"""What a comparison must have."""

WIDEST_LINE = 1000

HEADINGS = ("Dataset", "Metric", "A", "B", "A − B", "95 % interval", "Windows", "Videos", "Better")
"""What is printed of it."""


@dataclass(frozen=True)
class ComparedPair:
    """The printed rows of one pair."""

    a: str
    b: str
    rows: tuple[tuple[str, ...], ...]
    """Cells under :data:`HEADINGS`."""
    notes: tuple[str, ...]


def render_comparison(frame: pd.DataFrame, format: str = "terminal", width: int = 100) -> str:
    """A comparison as ``terminal`` text, ``markdown`` or ``csv`` (plain numbers in full precision).

    ``width`` is the terminal's. Raises :class:`~.schema.TableError` on an unknown format or missing columns.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise TableError(f"comparison lacks the columns {', '.join(missing)}; it must have: {', '.join(COLUMNS)}")
    if format == "csv":
        return frame.to_csv(index=False, lineterminator="\n")
    pairs = _pairs(frame)
    if format == "markdown":
        return "\n".join(_markdown(pair) for pair in pairs)
    if format == "terminal":
        tables = [_rich(pair) for pair in pairs]
        # Figures that are cut off are worse than lines that a narrow terminal wraps.
        widths = [Console(width=WIDEST_LINE).measure(table).maximum for table in tables]
        return print_to_text(Group(*tables), max(width, *widths))
    raise TableError(f"unknown format {format!r} of a comparison; there are: terminal, markdown, csv")


def _pairs(frame: pd.DataFrame) -> list[ComparedPair]:
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in cast(list[dict[str, Any]], frame.to_dict("records")):
        grouped.setdefault((row["a"], row["b"]), []).append(row)
    return [
        ComparedPair(
            a=a,
            b=b,
            rows=tuple(_cells(row) for row in rows),
            notes=tuple(dict.fromkeys(f"{row['title']}: {row['note']}" for row in rows if row["note"])),
        )
        for (a, b), rows in grouped.items()
    ]


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


def _markdown(pair: ComparedPair) -> str:
    names = f"A: {escape_markdown(pair.a)}<br>\nB: {escape_markdown(pair.b)}"
    body = [[escape_markdown(cell) for cell in row] for row in pair.rows]
    return "\n\n".join([names, pipe_table(HEADINGS, body, "llrrrrrrl"), *map(escape_markdown, pair.notes)]) + "\n"


def _rich(pair: ComparedPair) -> RenderableType:
    printed = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(HEADINGS):
        printed.add_column(heading, justify="right" if 2 <= index <= 7 else "left", no_wrap=index > 0)
    for row in pair.rows:
        printed.add_row(*row)
    return Group(Text(f"A: {pair.a}"), Text(f"B: {pair.b}"), printed, *map(Text, pair.notes))
