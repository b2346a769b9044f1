"""Tables of Bjøntegaard deltas between rate curves.

The values have one row for each delta. Their columns: ``dataset``, ``protocol``, ``protocol_hash``, ``convention`` (how
bits are counted), ``curve``, ``anchor`` (what it is compared with), ``axis`` (``rate`` or ``quality``), ``metric``,
``quality`` (the scale that it enters on: ``psnr``, ``−lpips-vgg``, ``−log10(1−ssim)``), ``name``
(``bd-rate(−log10(1−ssim))``), ``unit``, ``decimals``, ``value`` (percent of rate, or units of quality; NaN if there is
none), ``low`` and ``high`` (its 95 % interval; NaN if there is none), ``overlap`` (shared part of the range, 0 to 1),
``interpolation_gap`` (the value by pchip minus the value by Akima's splines), ``points`` and ``anchor_points``,
``windows``, ``videos`` and ``note`` (what weakens the value, or why there is none).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ..schema import round_outwards
from .data_frames import records, require_columns
from .plain import NONE, PlainTable

COLUMNS = (
    "dataset", "protocol", "protocol_hash", "convention", "curve", "anchor", "axis", "metric", "quality", "name",
    "unit", "decimals", "value", "low", "high", "overlap", "interpolation_gap", "points", "anchor_points", "windows",
    "videos", "note",
)  # fmt: skip
"""What the values must have."""

HEADINGS = (
    "Curve", "Anchor", "Delta", "Value", "95 % interval", "Overlap", "pchip − akima", "Points / anchor's", "Videos",
    "Notes",
)  # fmt: skip
ALIGNMENT = "lllrrrrrrl"


def rate_delta_table(frame: pd.DataFrame, notes: Sequence[str] = ()) -> PlainTable:
    """The deltas as printed; their notes are numbered and stand below, then ``notes``.

    Raises:
        TableError: if a column is missing.
    """
    require_columns(frame, COLUMNS, "table of deltas")
    numbers: dict[str, int] = {}
    cells = [_cells(row, numbers) for row in records(frame)]
    numbered = [f"({number}) {note}" for note, number in numbers.items()]
    return PlainTable(HEADINGS, cells, ALIGNMENT, (*numbered, *notes))


def _cells(row: dict[str, Any], numbers: dict[str, int]) -> tuple[str, ...]:
    decimals, unit = int(row["decimals"]), f" {row['unit']}" if row["unit"] else ""
    value = gap = interval = NONE
    if not pd.isna(row["value"]):
        value = f"{row['value']:+,.{decimals}f}{unit}"
        gap = f"{row['interpolation_gap']:+,.{decimals}f}"
    if not pd.isna(row["low"]):
        low, high = round_outwards(row["low"], decimals), round_outwards(row["high"], decimals, up=True)
        interval = f"[{low:+,.{decimals}f}, {high:+,.{decimals}f}]"
    marks = [f"({numbers.setdefault(note, len(numbers) + 1)})" for note in str(row["note"]).split("; ") if note]
    return (
        row["curve"],
        row["anchor"],
        row["name"],
        value,
        interval,
        NONE if pd.isna(row["overlap"]) else f"{row['overlap']:.2f}",
        gap,
        f"{row['points']} / {row['anchor_points']}",
        f"{row['videos']:,}",
        " ".join(marks),
    )
