"""Charts of what is used of codebooks: their growth with the number of tokens, and the levels of scalar quantizers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..identity import Identity
from ..schema import TableError
from ..tables.data_frames import grouped, records, require_columns
from ..text import chart_text
from .canvas import SMALL, TEXT, fit_text, label_decades, style_axes
from .palette import GREY, line_style, marker_style
from .panels import new_sheet, panels_by_group
from .pictures import INCHES
from .side_labels import SideLabel

LEVELS_HEIGHT, LEVELS_ABOVE, LEVELS_LEFT = 0.62, 0.36, 0.42
"""Inches of the bars of a codebook, of what stands between them, and to their left."""

LEVELS_PER_ROW = 2
"""Codebooks side by side, where there are several."""

LIMIT_STYLES = ("--", ":", "-.")
"""Lines of the limits of several sizes of codebooks."""

BARS_WIDTH = 0.8
"""Width of the bars of a dimension together, of 1 from one dimension to the next."""


def draw_codebook_growth(frame: pd.DataFrame, identities: Mapping[str, Identity]) -> Figure:
    """Expected utilization of some of the tokens, one line a label, below the most that so many tokens could reach.

    Markers stand where codebooks are compared, and at the end of each line, where all tokens are counted.

    Args:
        frame: columns ``label``, ``tokens``, ``utilization`` and ``bound`` (percent), ``entries`` (of all codebooks)
            and ``compared_at`` (the number of tokens at which a table compares the label; 0 for none).
        identities: of all labels.

    Raises:
        TableError: if a column is missing.
    """
    columns = ("label", "tokens", "utilization", "bound", "entries", "compared_at")
    require_columns(frame, columns, "table of codebook use")
    points = sorted(records(frame), key=lambda point: point["tokens"])
    panels = panels_by_group(frame["label"], identities)
    curves = {label: curve for (label,), curve in grouped(points, "label").items()}
    bounds = {
        entries: {point["tokens"]: point["bound"] for point in alike}
        for (entries,), alike in sorted(grouped(points, "entries").items())
    }
    sizes = [sorted({curves[label][0]["entries"] for label in panel.labels}) for panel in panels]
    names = [
        [*(identities[label].short for label in panel.labels), *map(_limit_name, here)]
        for panel, here in zip(panels, sizes, strict=True)
    ]
    compared = sorted({point["compared_at"] for point in points} - {0})
    notes = [f"Vertical line: compared at {' and '.join(f'{at:,}' for at in compared)} tokens."] if compared else []
    sheet = new_sheet(
        [panel.title for panel in panels], names, "tokens, drawn without replacement", "codebook utilization (%) ↑",
        height=1.5, notes=notes,
    )  # fmt: skip
    styles = dict(zip(bounds, itertools.cycle(LIMIT_STYLES), strict=False))
    ends: list[list[SideLabel]] = []
    for canvas, panel, here in zip(sheet.axes, panels, sizes, strict=True):
        canvas.set_xscale("log")
        canvas.set_yscale("log")
        limits = [_draw_limit(canvas, entries, bounds[entries], styles[entries]) for entries in here]
        for at in compared:
            canvas.axvline(at, color=GREY, lw=0.6)
        ends.append([*(_draw_growth(canvas, curves[label], identities[label]) for label in panel.labels), *limits])
    label_decades(sheet.axes[0].xaxis)
    label_decades(sheet.axes[0].yaxis)
    for canvas, labels in zip(sheet.axes, ends, strict=True):
        sheet.name(canvas, labels)
    return sheet.drawing


def _limit_name(entries: int) -> str:
    return f"limit of {entries:,}"


def _draw_limit(canvas: Axes, entries: int, bounds: Mapping[int, float], style: str) -> SideLabel:
    """The most that so many tokens could reach of codebooks of one size."""
    canvas.plot(list(bounds), list(bounds.values()), ls=style, lw=0.8, color=GREY, label=f"limit, {entries:,} entries")
    tokens, bound = list(bounds.items())[-1]
    return SideLabel(_limit_name(entries), bound, None, tokens)


def _draw_growth(canvas: Axes, curve: Sequence[dict[str, Any]], identity: Identity) -> SideLabel:
    """One system's curve, by rising numbers of tokens."""
    tokens, used = ([point[name] for point in curve] for name in ("tokens", "utilization"))
    marked = [place for place, point in enumerate(curve) if point["tokens"] == point["compared_at"]]
    canvas.plot(
        tokens, used, lw=1.0, ms=3.4, markevery=[*marked, len(curve) - 1], label=identity.label,
        **line_style(identity), **marker_style(identity),
    )  # fmt: skip
    return SideLabel(identity.short, used[-1], identity, tokens[-1])


def draw_level_marginals(frame: pd.DataFrame, identities: Mapping[str, Identity]) -> Figure:
    """Share of tokens at each level of each dimension of scalar quantizers, one panel a label and codebook.

    A dash across the bars of a dimension is the share of every level if all were used alike.

    Args:
        frame: columns ``label``, ``codebook``, ``dimension``, ``level`` (from 0) and ``share`` (percent).
        identities: of all labels.

    Raises:
        TableError: if a column is missing, or there is no row.
    """
    require_columns(frame, ("label", "codebook", "dimension", "level", "share"), "table of level marginals")
    panels = grouped(records(frame), "label", "codebook")
    if not panels:
        raise TableError("chart of level marginals has no row")
    several = len({book for _, book in panels}) > 1
    number = min(LEVELS_PER_ROW, len(panels))
    width = INCHES["page" if number > 1 else "column"]
    num_rows = -(-len(panels) // number)
    total = num_rows * (LEVELS_HEIGHT + LEVELS_ABOVE) + 0.14
    drawing = Figure(figsize=(width, total))
    FigureCanvasAgg(drawing)
    across = width / number - LEVELS_LEFT - 0.08
    first = None
    for index, ((label, book), bars) in enumerate(panels.items()):
        row, column = divmod(index, number)
        x, y = column * width / number + LEVELS_LEFT, total - (row + 1) * (LEVELS_HEIGHT + LEVELS_ABOVE) + 0.18
        canvas = drawing.add_axes((x / width, y / total, across / width, LEVELS_HEIGHT / total), sharey=first)
        first = first or canvas
        style_axes(canvas)
        canvas.grid(visible=False)
        dimensions = grouped(sorted(bars, key=lambda bar: bar["level"]), "dimension")
        for (dimension,), levels in dimensions.items():
            left, bar_width = dimension - BARS_WIDTH / 2, BARS_WIDTH / len(levels)
            centres = [left + (place + 0.5) * bar_width for place in range(len(levels))]
            canvas.bar(centres, [bar["share"] for bar in levels], 0.85 * bar_width, color=identities[label].colour)
            canvas.plot([left, left + BARS_WIDTH], [100 / len(levels)] * 2, color="black", lw=0.8)
        name = identities[label].short + (f", codebook {book}" if several else "")
        title = chart_text(fit_text(name, across, TEXT))
        canvas.set_title(title, fontsize=TEXT, fontweight="bold", loc="left", pad=2)
        canvas.set_xticks([dimension for (dimension,) in dimensions])
        canvas.set_xlim(-0.5, len(dimensions) - 0.5)
        canvas.tick_params(axis="x", length=0)
        if column == 0:
            canvas.set_ylabel("tokens (%)", fontsize=SMALL, labelpad=1)
        if index + number >= len(panels):
            canvas.set_xlabel("dimension; its levels from left to right", fontsize=SMALL, labelpad=1)
    return drawing
