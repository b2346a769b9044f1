"""Curves over the frames of a window: PSNR by position, and paired differences of it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..identity import Identity
from ..tables.data_frames import grouped, records, require_columns
from .canvas import draw_band
from .palette import PALE, line_style, marker_style
from .panels import new_sheet, panels_by_group
from .side_labels import SideLabel

MOST_BANDS = 3
"""Systems of a panel up to which intervals are drawn; more bands hide each other."""

MARKERS_APART = 4
"""Positions from one marker of a curve to the next."""

POSITION = "frame position in the window"


def draw_psnr_by_position(frame: pd.DataFrame, identities: Mapping[str, Identity]) -> Figure:
    """PSNR of each frame position, one line a system, with a band where there are intervals and few systems.

    Args:
        frame: columns ``label``, ``position`` (frame of the window, from 0), ``psnr``, ``low``, ``high`` (dB; NaN for
            no interval).
        identities: of all labels.

    Raises:
        TableError: if a column is missing.
    """
    require_columns(frame, ("label", "position", "psnr", "low", "high"), "table of curves")
    return _draw(frame, "psnr", "PSNR (dB) ↑", identities)


def draw_position_differences(frame: pd.DataFrame, identities: Mapping[str, Identity], zero: str) -> Figure:
    """Difference of PSNR at each frame position, one line a system; that which the differences are to is zero.

    Args:
        frame: columns ``label``, ``position`` (frame of the window, from 0), ``difference``, ``low``, ``high`` (dB; NaN
            for no interval).
        identities: of all labels and of ``zero``.
        zero: label of what the differences are to.

    Raises:
        TableError: if a column is missing.
    """
    require_columns(frame, ("label", "position", "difference", "low", "high"), "table of differences")
    return _draw(frame, "difference", "PSNR difference (dB) ↑", identities, zero)


def _draw(
    frame: pd.DataFrame, column: str, vertical: str, identities: Mapping[str, Identity], zero: str = ""
) -> Figure:
    ordered = sorted(records(frame), key=lambda row: row["position"])
    curves = {label: rows for (label,), rows in grouped(ordered, "label").items()}
    panels = panels_by_group(frame["label"], identities)
    names = [[identities[label].short for label in panel.labels] for panel in panels]
    if zero:
        names = [[*column_of, f"zero: {identities[zero].short}"] for column_of in names]
    sheet = new_sheet([panel.title for panel in panels], names, POSITION, vertical)
    for canvas, panel in zip(sheet.axes, panels, strict=True):
        for label, rows in curves.items():
            if label not in panel.labels:
                positions = [row["position"] for row in rows]
                canvas.plot(positions, [row[column] for row in rows], color=PALE, lw=0.4, zorder=1)
        if zero:
            canvas.axhline(0, lw=0.9, **line_style(identities[zero]))
        for number, label in enumerate(panel.labels):
            if len(panel.labels) <= MOST_BANDS and (zero or len(panels) == 1):
                positions = [row["position"] for row in curves[label]]
                draw_band(canvas, positions, curves[label], identities[label].colour)
            _draw_curve(canvas, curves[label], column, identities[label], number)
        canvas.xaxis.set_major_locator(MaxNLocator(integer=True))
    for canvas, panel in zip(sheet.axes, panels, strict=True):
        ends = [
            SideLabel(identities[label].short, last[column], identities[label], last["position"])
            for label in panel.labels
            for last in [curves[label][-1]]
        ]
        if zero:
            ends.append(SideLabel(f"zero: {identities[zero].short}", 0.0, identities[zero], canvas.get_xlim()[1]))
        sheet.name(canvas, ends)
    return sheet.drawing


def _draw_curve(canvas: Axes, rows: list[dict[str, float]], column: str, identity: Identity, number: int) -> None:
    """One system's curve, its markers at other positions than its neighbours'."""
    every = (number % MARKERS_APART, MARKERS_APART) if len(rows) > MARKERS_APART else 1
    canvas.plot(
        [row["position"] for row in rows],
        [row[column] for row in rows],
        lw=1.0,
        ms=3,
        markevery=every,
        label=identity.label,
        **line_style(identity),
        **marker_style(identity),
    )
