"""Charts of paired differences: how far each system is from one of them, whose own line is zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..schema import Figure as Measured
from ..tables.columns import ARROWS
from ..text import chart_text
from .canvas import add_legend, draw_band, grouped, label_decades, new_canvas, records, require_columns
from .palette import MARKERS, system_colours


def draw_position_differences(frame: pd.DataFrame, labels: Sequence[str], zero: str) -> Figure:
    """Difference of PSNR at each frame position, one line a label, with a band where there are intervals.

    Args:
        frame: columns ``label``, ``position`` (frame of the window, from 0), ``difference``, ``low``, ``high`` (dB; NaN
            for no interval).
        labels: all labels in the order of the chart without differences, so that each keeps its colour and marker.
        zero: the one of them that the differences are to.

    Raises:
        TableError: if a column is missing.
    """
    require_columns(frame, ("label", "position", "difference", "low", "high"))
    figure, canvas = new_canvas("frame position in the window", "PSNR difference (dB) ↑")
    colours = system_colours(labels, [labels])
    curves = grouped(records(frame), "label")
    canvas.axhline(0, color=colours[zero], lw=1, label=chart_text(f"zero: {zero}"))
    for number, label in enumerate(labels):
        if (label,) not in curves:
            continue
        rows = sorted(curves[label,], key=lambda row: row["position"])
        positions = [row["position"] for row in rows]
        draw_band(canvas, positions, rows, colours[label])
        canvas.plot(
            positions,
            [row["difference"] for row in rows],
            MARKERS[number % len(MARKERS)],
            ls="-",
            ms=3.5,
            color=colours[label],
            label=chart_text(label),
        )
    canvas.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(figure, canvas)
    return figure


def draw_rate_differences(
    frame: pd.DataFrame, lines: Mapping[str, str], zero: str, rate: Measured, quality: Measured
) -> Figure:
    """Difference of quality at equal rate on a logarithmic rate axis; the points of one codec are joined.

    A line has a band where there are intervals, a point that stands alone has bars.

    Args:
        frame: columns ``line`` (the point's codec, or its label), ``rate``, ``difference``, ``low``, ``high`` (NaN for
            no interval).
        lines: all lines in the order of the chart without differences, with their systems, so that each keeps its
            colour and marker.
        zero: what the differences are to.
        rate: any figure of the metric on the horizontal axis.
        quality: the figure of a tokenizer that is zero, of the metric on the vertical axis.

    Raises:
        TableError: if a column is missing.
    """
    require_columns(frame, ("line", "rate", "difference", "low", "high"))
    unit = f" ({quality.unit})" if quality.unit else ""
    figure, canvas = new_canvas(
        f"{rate.title}{f' ({rate.unit})' if rate.unit else ''}",
        f"{quality.title} difference{unit} {ARROWS[quality.direction]}".rstrip(),
    )
    canvas.set_xscale("log")
    systems = list(dict.fromkeys(lines.values()))
    colours = system_colours(systems, [systems])
    curves = grouped(records(frame), "line")
    canvas.axhline(0, color=colours[quality.system], lw=1, label=chart_text(f"zero: {zero}"))
    for number, (line, system) in enumerate(lines.items()):
        if (line,) not in curves:
            continue
        rows = sorted(curves[line,], key=lambda row: row["rate"])
        rates, values = ([row[name] for row in rows] for name in ("rate", "difference"))
        if len(rows) > 1:
            draw_band(canvas, rates, rows, colours[system])
        elif not pd.isna(rows[0]["low"]):
            canvas.vlines(rates, rows[0]["low"], rows[0]["high"], color=colours[system], lw=1)
        canvas.plot(
            rates,
            values,
            MARKERS[number % len(MARKERS)],
            ls="--" if len(rows) > 1 else "",
            lw=1,
            ms=6,
            color=colours[system],
            label=chart_text(line),
        )
    label_decades(canvas.xaxis)
    add_legend(figure, canvas)
    return figure
