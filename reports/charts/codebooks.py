"""Charts of what is used of codebooks: their growth with the number of tokens, and the levels of scalar quantizers."""

from __future__ import annotations

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..schema import TableError
from ..text import chart_text
from .canvas import add_legend, grouped, label_decades, new_canvas, records, require_columns
from .palette import GREY, MARKERS, system_colours

PANEL_SIZE = (5.6, 1.7)
"""Inches of one of several panels."""

LIMIT_STYLES = ("--", ":", "-.")
"""Lines of the limits of several sizes of codebooks."""

BARS_WIDTH = 0.8
"""Width of the bars of a dimension together, of 1 from one dimension to the next."""


def draw_codebook_growth(frame: pd.DataFrame) -> Figure:
    """Expected utilization of some of the tokens, one line a label, below the most that so many tokens could reach.

    Markers stand where codebooks are compared, and at the end of each line, where all tokens are counted.

    Args:
        frame: columns ``label``, ``tokens``, ``utilization`` and ``bound`` (percent), ``entries`` (of all codebooks)
            and ``compared_at`` (the number of tokens at which a table compares the label; 0 for none).

    Raises:
        TableError: if a column is missing.
    """
    require_columns(frame, ("label", "tokens", "utilization", "bound", "entries", "compared_at"))
    figure, canvas = new_canvas("tokens, drawn without replacement", "codebook utilization (%) ↑")
    points = sorted(records(frame), key=lambda point: point["tokens"])
    for number, (entries, limit) in enumerate(sorted(grouped(points, "entries").items())):
        bounds = {point["tokens"]: point["bound"] for point in limit}
        style, name = LIMIT_STYLES[number % len(LIMIT_STYLES)], f"limit, {entries[0]:,} entries"
        canvas.plot(list(bounds), list(bounds.values()), ls=style, lw=1, color=GREY, label=chart_text(name))
    for compared in sorted({point["compared_at"] for point in points} - {0}):
        canvas.axvline(compared, color=GREY, lw=1, label=f"compared at {compared:,} tokens")
    labels = list(dict.fromkeys(frame["label"]))
    colours = system_colours(labels, [labels])
    curves = grouped(points, "label")
    for number, label in enumerate(labels):
        curve = curves[label,]
        tokens, used = ([point[name] for point in curve] for name in ("tokens", "utilization"))
        marked = [place for place, point in enumerate(curve) if point["tokens"] == point["compared_at"]]
        canvas.plot(
            tokens,
            used,
            MARKERS[number % len(MARKERS)],
            ls="-",
            ms=4.5,
            markevery=[*marked, len(curve) - 1],
            color=colours[label],
            label=chart_text(label),
        )
    canvas.set_xscale("log")
    canvas.set_yscale("log")
    label_decades(canvas.xaxis)
    label_decades(canvas.yaxis)
    add_legend(figure, canvas)
    return figure


def draw_level_marginals(frame: pd.DataFrame) -> Figure:
    """Share of tokens at each level of each dimension of scalar quantizers, one panel a label and codebook.

    A dash across the bars of a dimension is the share of every level if all were used alike.

    Args:
        frame: columns ``label``, ``codebook``, ``dimension``, ``level`` (from 0) and ``share`` (percent).

    Raises:
        TableError: if a column is missing, or there is no row.
    """
    require_columns(frame, ("label", "codebook", "dimension", "level", "share"))
    panels = grouped(records(frame), "label", "codebook")
    if not panels:
        raise TableError("chart of level marginals has no row")
    several = len({book for _, book in panels}) > 1
    names = [f"{label}, codebook {book}" if several else label for label, book in panels]
    width, height = PANEL_SIZE
    figure = Figure(figsize=(width, height * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    colours = system_colours(names, [names])
    axes = figure.subplots(len(panels), squeeze=False)[:, 0]
    for canvas, name, bars in zip(axes, names, panels.values(), strict=True):
        dimensions = grouped(sorted(bars, key=lambda bar: bar["level"]), "dimension")
        for (dimension,), levels in dimensions.items():
            left, bar_width = dimension - BARS_WIDTH / 2, BARS_WIDTH / len(levels)
            centres = [left + (place + 0.5) * bar_width for place in range(len(levels))]
            canvas.bar(centres, [bar["share"] for bar in levels], 0.85 * bar_width, color=colours[name])
            canvas.plot([left, left + BARS_WIDTH], [100 / len(levels)] * 2, color="black", lw=1)
        canvas.set_title(chart_text(name), fontsize=9, loc="left")
        canvas.set_xticks([dimension for (dimension,) in dimensions])
        canvas.set_ylabel("tokens (%)")
        canvas.set_xlim(-0.5, len(dimensions) - 0.5)
        canvas.spines[["top", "right"]].set_visible(False)
        canvas.tick_params(axis="x", length=0)
    axes[-1].set_xlabel("dimension; its levels from left to right")
    return figure
