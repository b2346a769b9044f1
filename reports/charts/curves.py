"""Charts of a run: PSNR by frame position, and a metric against bits per pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..schema import Figure as Measured
from ..schema import TableError
from ..tables.columns import ARROWS
from ..text import chart_text
from .canvas import add_legend, draw_band, label_decades, new_canvas, records, require_columns
from .palette import MARKERS, system_colours

ANCHOR = "codec"
"""The regularizer of classical codecs."""


def draw_psnr_by_position(frame: pd.DataFrame) -> Figure:
    """PSNR of each frame position, one line a label, with a band where there are intervals.

    Args:
        frame: columns ``label``, ``position`` (frame of the window, from 0), ``psnr``, ``low``, ``high`` (dB; NaN for
            no interval).

    Raises:
        TableError: if a column is missing.
    """
    require_columns(frame, ("label", "position", "psnr", "low", "high"))
    figure, canvas = new_canvas("frame position in the window", "PSNR (dB) ↑")
    curves: dict[str, list[dict[str, Any]]] = {}
    for row in records(frame):
        curves.setdefault(row["label"], []).append(row)
    colours = system_colours(curves, [list(curves)])
    for number, (label, unsorted) in enumerate(curves.items()):
        rows = sorted(unsorted, key=lambda row: row["position"])
        positions = [row["position"] for row in rows]
        marker = MARKERS[number % len(MARKERS)]
        canvas.plot(
            positions,
            [row["psnr"] for row in rows],
            marker,
            ls="-",
            ms=3.5,
            color=colours[label],
            label=chart_text(label),
        )
        draw_band(canvas, positions, rows, colours[label])
    canvas.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(figure, canvas)
    return figure


def draw_rate_distortion(figures: Sequence[Measured], metric: str, dataset: str, rate: str = "bpp") -> Figure:
    """A metric against the rate, one point a measured tokenizer, on a logarithmic rate axis.

    The points of one codec, measured at several rates, are joined: anchors that the tokenizers are read against.

    Args:
        figures: of any datasets and metrics; published and unavailable ones aren't drawn.
        metric: name of the metric on the vertical axis.
        dataset: the dataset both are measured on.
        rate: name of the metric on the horizontal axis.

    Raises:
        TableError: if no tokenizer has both figures under one protocol, or if several protocols would mix.
    """
    measured = [f for f in figures if f.dataset == dataset and f.origin == "measured" and f.is_available]
    rates = {(f.label, f.protocol_key): f for f in measured if f.metric == rate and f.value > 0}
    points = [f for f in measured if f.metric == metric and (f.label, f.protocol_key) in rates]
    protocols = sorted({f.protocol for f in points}) if len({f.protocol_key for f in points}) > 1 else []
    if not points or protocols:
        problem = f"mixes the protocols {', '.join(protocols)}" if protocols else "finds no tokenizer that has both"
        raise TableError(f"rate–distortion chart of {metric} against {rate} on {dataset} {problem}")
    axes = [f"{f.title}{f' ({f.unit})' if f.unit else ''}" for f in (next(iter(rates.values())), points[0])]
    drawing, canvas = new_canvas(axes[0], f"{axes[1]} {ARROWS[points[0].direction]}".rstrip())
    canvas.set_xscale("log")
    systems = list(dict.fromkeys(f.system for f in points))
    colours = system_colours(systems, [systems])
    entries: dict[str, list[Measured]] = {}
    for point in points:
        entries.setdefault(line_name(point), []).append(point)
    for number, (name, unsorted) in enumerate(entries.items()):
        curve = sorted(unsorted, key=lambda point: rates[point.label, point.protocol_key].value)
        canvas.errorbar(
            [rates[point.label, point.protocol_key].value for point in curve],
            [point.value for point in curve],
            [
                [_reach(point, point.value - point.low) for point in curve],
                [_reach(point, point.high - point.value) for point in curve],
            ],
            fmt=MARKERS[number % len(MARKERS)],
            ls="--" if len(curve) > 1 else "",
            lw=1,
            ms=6,
            color=colours[curve[0].system],
            label=chart_text(name),
        )
    label_decades(canvas.xaxis)
    add_legend(drawing, canvas)
    return drawing


def line_name(point: Measured) -> str:
    """What a point is drawn as: the points of one codec are one line, any other stands for itself."""
    return point.system if point.regularizer == ANCHOR else point.label


def _reach(point: Measured, distance: float) -> float:
    """Length of one half of an error bar; none where there is no interval."""
    return max(0.0, distance) if point.has_interval else 0.0
