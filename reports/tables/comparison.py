"""Side-by-side comparisons of two tokenizers as text.

A comparison is a table with one row for each pair, dataset and metric. Its columns: ``dataset``, ``metric``, ``title``,
``unit``, ``direction``, ``decimals``, ``a``, ``b`` (names), ``value_a``, ``value_b``, ``difference`` (a - b), ``low``,
``high`` (its interval, which holds for all pairs at once; NaN if there is none), ``windows_shared``, ``count`` (source
videos), ``num_pairs`` and ``critical_value`` (of the family of pairs), ``better`` (``a``'s or ``b``'s name where the
interval excludes zero, otherwise empty), ``verdict`` (``A``, ``B``, ``not separable``, ``no verdict``, or of metrics
without direction ``differs`` and ``not shown``), ``table_verdict`` (the same by the run's table, empty where it
doesn't rank the two together), ``detectable`` (about the difference that would have been found; NaN where one was),
``wins``, ``ties``, ``losses`` (videos by who is better) with ``wins_low`` and ``wins_high`` (interval of the share of
wins, NaN if there is none), ``furthest`` (the videos that differ most) and ``note``.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ..schema import MIN_VIDEOS, TableError, round_outwards
from ..text import one_line
from .columns import metric_heading
from .data_frames import grouped, records, require_columns
from .plain import NONE, PlainTable, TableFormat, escape_markdown, frame_to_csv, to_markdown, to_terminal

COLUMNS = (
    "dataset", "metric", "title", "unit", "direction", "decimals", "a", "b", "value_a", "value_b", "difference", "low",
    "high", "windows_shared", "count", "num_pairs", "critical_value", "better", "verdict", "table_verdict",
    "detectable", "wins", "ties", "losses", "wins_low", "wins_high", "furthest", "note",
)  # fmt: skip
"""What a comparison must have."""

EMPTY_ROW: dict[str, Any] = {
    **dict.fromkeys(("low", "high", "critical_value", "detectable", "wins_low", "wins_high"), math.nan),
    **dict.fromkeys(("windows_shared", "count", "num_pairs", "wins", "ties", "losses"), 0),
    **dict.fromkeys(("better", "table_verdict", "furthest", "note"), ""),
}
"""What a line has of videos and intervals where none play a part."""

LEFT_OUT = "left_out"
"""Name among the frame's ``attrs`` of a list of sentences: what was not compared, and why."""

WITHOUT_PAIR = "without_pair"
"""Name among the frame's ``attrs`` of those of them that are on a tokenizer which could be paired with nothing."""

HEADINGS = ("Dataset", "Metric", "A", "B", "A − B", "95 % interval", "Windows", "Videos", "A wins", "Better")
"""What is printed of it."""

ALIGNMENT = "llrrrrrrrl"
"""Sides of the headings, as :class:`~.plain.PlainTable` takes them."""


def render_comparison(frame: pd.DataFrame, format: str = "terminal") -> str:
    """A comparison as ``terminal`` text, ``markdown`` or ``csv`` (plain numbers in full precision).

    Below the first two stands what was left out.

    Raises :class:`~..schema.TableError` on an unknown format or missing columns.
    """
    require_columns(frame, COLUMNS, "table of a comparison")
    if format not in list(TableFormat):
        raise TableError(f"unknown format {format!r} of a comparison; there are: {', '.join(TableFormat)}")
    if format == TableFormat.csv:
        return frame_to_csv(frame)
    pairs = grouped(records(frame), "a", "b")
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
    notes = dict.fromkeys(f"{row['title']}: {text}" for row in rows for text in _remarks(row))
    return PlainTable(HEADINGS, [_cells(row) for row in rows], ALIGNMENT, tuple(notes))


def _remarks(row: dict[str, Any]) -> list[str]:
    """What stands below the table of one line of it."""
    decimals, found = int(row["decimals"]), []
    if row["num_pairs"] > 1 and not pd.isna(row["critical_value"]):
        found.append(f"the interval holds for {row['num_pairs']} pairs at once (c {row['critical_value']:.2f})")
    if pd.isna(row["low"]) and 0 < row["count"] < MIN_VIDEOS:
        found.append(f"{row['count']} video{'s' * (row['count'] != 1)}: too few for an interval")
    if not pd.isna(row["detectable"]):
        found.append(f"about {row['detectable']:,.{max(decimals, 2)}f} would have been found")
    if not pd.isna(row["wins_low"]):
        found.append(
            f"A does better in {row['wins']} of {row['wins'] + row['losses']} videos, "
            f"95 % interval of the share [{row['wins_low']:.2f}, {row['wins_high']:.2f}]"
        )
    if row["furthest"]:
        found.append(f"furthest apart: {row['furthest']}")
    if row["note"]:
        found.append(row["note"])
    return found


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    decimals = int(row["decimals"])
    ends = (round_outwards(row["low"], decimals, up=False), round_outwards(row["high"], decimals, up=True))
    interval = NONE if pd.isna(row["low"]) else f"[{ends[0]:+,.{decimals}f}, {ends[1]:+,.{decimals}f}]"
    decided = row["wins"] + row["losses"]
    wins = f"{row['wins']}/{decided}" + (f" +{row['ties']} ties" if row["ties"] else "")
    verdict = row["verdict"]
    if row["table_verdict"] and row["table_verdict"] != verdict:
        verdict = f"{verdict} (table: {row['table_verdict']})"
    return (
        row["dataset"],
        metric_heading(row["title"], row["unit"], row["direction"]),
        f"{row['value_a']:,.{decimals}f}",
        f"{row['value_b']:,.{decimals}f}",
        f"{row['difference']:+,.{decimals}f}",
        interval,
        f"{row['windows_shared']:,}" if row["windows_shared"] else NONE,
        f"{row['count']:,}" if row["count"] else NONE,
        wins if decided or row["ties"] else NONE,
        verdict,
    )
