"""Forest plots: each system's paired difference to a reference, metric by metric, with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..identity import Identity
from ..schema import TableError, group_order
from ..tables.columns import metric_heading
from ..tables.data_frames import grouped, records, require_columns
from ..text import chart_text
from .canvas import SMALL, TEXT, fit_text, style_axes, text_width
from .palette import GREY, marker_style
from .pictures import INCHES

COLUMNS = ("label", "to", "group", "metric", "title", "unit", "direction", "difference", "low", "high")
"""What the table of differences must have."""

ROW, ABOVE, BELOW = 0.125, 0.22, 0.2
"""Inches of a system's row, of the headings, and of the numbers below."""

MOST_METRICS = 5
"""Side by side; further ones stand below."""

WIDEST_NAMES, BETWEEN = 2.0, 0.22
"""Inches of the names at most, and between metrics."""


def draw_forest(frame: pd.DataFrame, identities: Mapping[str, Identity]) -> Figure:
    """One row a system and one panel a metric: a marker at the difference, a line for its interval, zero upright.

    Systems stand below the group that they are compared in, whose reference is named.

    Args:
        frame: columns of :data:`COLUMNS`; ``difference`` is the system minus the reference ``to``, ``low`` and ``high``
            are its interval (NaN for none). One row a ``group``, label and metric.
        identities: of all labels and references.

    Raises:
        TableError: if a column is missing, or there is no row.
    """
    require_columns(frame, COLUMNS, "table of differences")
    rows = records(frame)
    if not rows:
        raise TableError("forest plot has no row")
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    lines = _lines(rows, identities)
    blocks = [metrics[start : start + MOST_METRICS] for start in range(0, len(metrics), MOST_METRICS)]
    width = INCHES["page"]
    names = min(WIDEST_NAMES, max(text_width(text, TEXT) + (0.26 if label else 0.04) for text, (_, label) in lines))
    height = ROW * len(lines)
    total = len(blocks) * (ABOVE + height + BELOW) + 0.02
    drawing = Figure(figsize=(width, total))
    FigureCanvasAgg(drawing)
    across = (width - names - 0.1) / min(MOST_METRICS, len(metrics)) - BETWEEN
    places = {key: height - (number + 0.5) * ROW for number, (_, key) in enumerate(lines)}
    by_metric = {metric: of_metric for (metric,), of_metric in grouped(rows, "metric").items()}
    for number, block in enumerate(blocks):
        y = total - number * (ABOVE + height + BELOW) - ABOVE - height
        _draw_names(drawing, lines, identities, y, height, names)
        for column, metric in enumerate(block):
            x = names + column * (across + BETWEEN) + BETWEEN / 2
            canvas = drawing.add_axes((x / width, y / total, across / width, height / total))
            _draw_metric(canvas, by_metric[metric], places, identities, height)
            fact = by_metric[metric][0]
            title = metric_heading(fact["title"], fact["unit"], fact["direction"])
            canvas.set_title(chart_text(fit_text(title, across + BETWEEN)), fontsize=TEXT, pad=4)
    return drawing


def _lines(rows: list[dict[str, Any]], identities: Mapping[str, Identity]) -> list[tuple[str, tuple[str, str]]]:
    """What the rows say, with their keys of group and label; headings have no label."""
    found: list[tuple[str, tuple[str, str]]] = []
    groups = grouped(rows, "group", "to")
    for (group, to), members in sorted(groups.items(), key=lambda item: group_order(item[0][0])):
        found.append((f"minus {identities[to].short}:", (group, "")))
        found += [(identities[label].short, (group, label)) for label in dict.fromkeys(r["label"] for r in members)]
    return found


def _draw_names(
    drawing: Figure,
    lines: list[tuple[str, tuple[str, str]]],
    identities: Mapping[str, Identity],
    bottom: float,
    height: float,
    room: float,
) -> None:
    inches = drawing.dpi_scale_trans
    for number, (text, (_, label)) in enumerate(lines):
        y = bottom + height - (number + 0.5) * ROW
        if label:
            mark = Line2D([0.14], [y], ls="", ms=3.4, transform=inches, **marker_style(identities[label]))
            drawing.add_artist(mark)
        x, most = (0.24, room - 0.26) if label else (0.02, room - 0.04)
        drawing.text(
            x, y, chart_text(fit_text(text, most)), fontsize=TEXT if label else SMALL, va="center_baseline",
            color="black" if label else GREY, style="normal" if label else "italic", transform=inches,
        )  # fmt: skip


def _draw_metric(
    canvas: Axes,
    rows: list[dict[str, Any]],
    places: Mapping[tuple[str, str], float],
    identities: Mapping[str, Identity],
    height: float,
) -> None:
    style_axes(canvas)
    canvas.grid(visible=False, axis="y")
    canvas.axvline(0, color="black", lw=0.7)
    for row in rows:
        identity, y = identities[row["label"]], places[row["group"], row["label"]]
        if not pd.isna(row["low"]):
            canvas.plot([row["low"], row["high"]], [y, y], color=identity.colour, lw=1.1, solid_capstyle="butt")
        canvas.plot([row["difference"]], [y], ls="", ms=3.4, label=row["label"], **marker_style(identity))
    canvas.set_ylim(0, height)
    canvas.set_yticks([])
    canvas.spines["left"].set_visible(False)
    canvas.xaxis.set_major_locator(MaxNLocator(3))
    canvas.margins(x=0.06)
