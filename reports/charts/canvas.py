"""What charts of curves have in common: their canvas, axes, legends, and the tables they are drawn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ..schema import TableError
from ..text import chart_text
from .palette import LIGHT_GREY

SIZE = (5.6, 3.4)
"""Inches."""

DECADE_TICKS = ((1.2, (1.0, 2.0, 3.0, 5.0)), (2.5, (1.0, 3.0)), (math.inf, (1.0,)))
"""Values of a decade that a logarithmic axis labels, by the most decades that it spans."""

ALL_ALIKE = 1.01
"""Ratio of the largest to the smallest value below which an axis takes in half and double of them."""

LEGEND_ENTRY_HEIGHT = 0.18
"""Inches; a legend that is higher than the figure makes it higher."""


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table."""
    return cast(list[dict[str, Any]], frame.to_dict("records"))


def grouped(rows: Sequence[dict[str, Any]], *keys: str) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Rows by the values of ``keys``, in the order of their first."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def require_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise :class:`~..schema.TableError` if a column is missing."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise TableError(f"curve table lacks the columns {', '.join(missing)}; it must have: {', '.join(columns)}")


def new_canvas(horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    """An empty chart with the names of its axes."""
    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    canvas = figure.add_subplot()
    canvas.set_xlabel(chart_text(horizontal))
    canvas.set_ylabel(chart_text(vertical))
    canvas.grid(color=LIGHT_GREY, linewidth=0.5)
    canvas.spines[["top", "right"]].set_visible(False)
    canvas.set_axisbelow(True)
    return figure, canvas


def label_decades(axis: Axis) -> None:
    """Plain numbers at some values of each decade of a logarithmic axis; called once everything is drawn."""
    low, high = axis.get_data_interval()
    if high < low * ALL_ALIKE:
        is_horizontal = isinstance(axis, XAxis)
        axis.axes.autoscale(False, axis="x" if is_horizontal else "y")
        set_limits = axis.axes.set_xlim if is_horizontal else axis.axes.set_ylim
        set_limits(low / 2, high * 2)
    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    values = next(values for most, values in DECADE_TICKS if decades <= most)
    axis.set_major_locator(LogLocator(subs=values))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def draw_band(canvas: Axes, places: Sequence[float], rows: Sequence[dict[str, Any]], colour: str) -> None:
    """The area between ``low`` and ``high`` of the rows, left open where they are NaN."""
    low, high = ([row[end] for row in rows] for end in ("low", "high"))
    canvas.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)


def add_legend(figure: Figure, canvas: Axes) -> None:
    """The legend, outside the axes, where it hides no point however many entries there are."""
    legend = canvas.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    figure.set_figheight(max(SIZE[1], LEGEND_ENTRY_HEIGHT * (len(legend.get_texts()) + 1)))
