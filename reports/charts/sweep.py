"""Rate, quality and time as one inference setting changes: a table and a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from ..identity import Identity
from ..schema import Figure, TableError
from ..tables.columns import metric_heading
from ..tables.plain import NONE, PlainTable
from ..tables.table import format_interval, format_value
from ..text import chart_text
from .canvas import SMALL, TEXT, label_decades, style_axes
from .palette import line_style, marker_style
from .pictures import INCHES

PANEL_HEIGHT = 1.6
"""Inches."""
LOGARITHMIC_FROM = 4
"""Ratio of the largest to the smallest value of a setting, or time, from which its axis is logarithmic."""
MOST_TICKS = 8
"""Values of a setting up to which every one has its tick."""


@dataclass(frozen=True)
class SweepPoint:
    """A tokenizer under one value of the setting."""

    series: Identity
    """The tokenizer with its other settings, one line of the chart: its name there, and its look."""
    value: float
    """Value of the setting."""
    quality: tuple[Figure, ...]
    """Available figures of quality."""
    rate: tuple[Figure, ...] = ()
    """Bits per pixel, where measured."""
    time: tuple[Figure, ...] = ()
    """Latency, where measured."""

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in the order rate, quality, time."""
        return (*self.rate, *self.quality, *self.time)

    def figure(self, metric: str) -> Figure | None:
        """The figure of a metric, if there is one."""
        return next((figure for figure in self.figures if figure.metric == metric), None)


def sweep_points(points: Sequence[SweepPoint], setting: str) -> pd.DataFrame:
    """One row a figure: tokenizer, setting, metric, value, ends of its interval, how many of what it rests on."""
    rows = [
        (point.series.short, point.value, f.metric, f.value, f.low, f.high, f.count, f.counted)
        for point in points
        for f in point.figures
    ]
    return pd.DataFrame(rows, columns=["tokenizer", setting, "metric", "value", "low", "high", "count", "counted"])


def sweep_table(points: Sequence[SweepPoint], setting: str) -> PlainTable:
    """One row a tokenizer and value, one column a metric, as printed, with the ends of its 95 % interval."""
    metrics = _metrics(points)
    headings = [metric_heading(example.title, example.unit, example.direction) for example in metrics.values()]
    rows = [
        (point.series.short, f"{point.value:g}", *(_text(point.figure(metric)) for metric in metrics))
        for point in points
    ]
    return PlainTable(("tokenizer", setting.replace("_", " "), *headings), rows)


def draw_sweep(points: Sequence[SweepPoint], setting: str) -> Drawing:
    """Quality against the setting on the left and against latency on the right, then latency and rate by the setting.

    One line a series, with bars for 95 % intervals; in the right-hand panels each point is marked with the setting's
    value. Without latencies there is no right-hand column.

    Raises:
        TableError: if there is no figure at all.
    """
    quality = list(dict.fromkeys(figure.metric for point in points for figure in point.quality))
    times = list(dict.fromkeys(figure.metric for point in points for figure in point.time))
    rates = list(dict.fromkeys(figure.metric for point in points for figure in point.rate))
    panels: list[tuple[str, str]] = []
    for metric in quality:
        panels += [(setting, metric), *((time, metric) for time in times)]
    panels += [(setting, metric) for metric in (*times, *rates)]
    if not panels:
        raise TableError(f"sweep of {setting} has no figure to draw")
    num_columns = 2 if times else 1
    num_rows = -(-len(panels) // num_columns)
    names = list(dict.fromkeys(point.series.short for point in points))
    num_keys = -(-len(names) // num_columns)
    size = (INCHES["page" if times else "column"], PANEL_HEIGHT * num_rows + 0.13 * num_keys + 0.1)
    drawing = Drawing(figsize=size, layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.subplots(num_rows, num_columns, squeeze=False).flatten()
    for canvas, (horizontal, vertical) in zip(axes, panels, strict=False):
        _draw_panel(canvas, points, setting, horizontal, vertical)
    for unused in axes[len(panels) :]:
        unused.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=num_columns, frameon=False, fontsize=TEXT)
    return drawing


def _draw_panel(canvas: Axes, points: Sequence[SweepPoint], setting: str, horizontal: str, vertical: str) -> None:
    metrics = _metrics(points)
    for series in {point.series.label: point.series for point in points}.values():
        ordered = sorted((point for point in points if point.series == series), key=lambda point: point.value)
        drawn: list[tuple[float, float, Figure]] = []
        for point in ordered:
            x, y = point.figure(horizontal), point.figure(vertical)
            if y is not None and horizontal == setting:
                drawn.append((point.value, point.value, y))
            elif y is not None and x is not None:
                drawn.append((point.value, x.value, y))
        xs, ys = [x for _, x, _ in drawn], [y.value for _, _, y in drawn]
        canvas.plot(
            xs, ys, ms=3.4, lw=1.0, label=chart_text(series.short), **line_style(series), **marker_style(series)
        )
        bars = [(x, y.low, y.high) for _, x, y in drawn if y.has_interval]
        if bars:
            canvas.vlines(*zip(*bars, strict=True), color=series.colour, lw=0.6)
        if horizontal != setting:
            for value, x, y in drawn:
                place, offset = (x, y.value), (3, 3)
                canvas.annotate(f"{value:g}", place, offset, textcoords="offset points", fontsize=SMALL)
    canvas.margins(0.12)
    if horizontal == setting:
        canvas.set_xlabel(chart_text(setting), fontsize=TEXT)
        _mark_values(canvas, sorted({point.value for point in points}))
    else:
        across = metrics[horizontal]
        canvas.set_xlabel(chart_text(metric_heading(across.title, across.unit)), fontsize=TEXT)
        places = [figure.value for point in points if (figure := point.figure(horizontal)) is not None]
        if min(places) > 0 and max(places) / min(places) >= LOGARITHMIC_FROM:
            canvas.set_xscale("log")
            label_decades(canvas.xaxis)
        else:
            canvas.xaxis.set_major_locator(MaxNLocator(5))
    up = metrics[vertical]
    canvas.set_ylabel(chart_text(metric_heading(up.title, up.unit, up.direction)), fontsize=TEXT)
    style_axes(canvas)


def _mark_values(canvas: Axes, values: Sequence[float]) -> None:
    """Ticks at the values of the setting, on a logarithmic axis where they span a large ratio."""
    if values[0] > 0 and values[-1] / values[0] >= LOGARITHMIC_FROM:
        canvas.set_xscale("log", base=2)
        canvas.xaxis.set_minor_locator(NullLocator())
        canvas.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if len(values) <= MOST_TICKS:
        canvas.xaxis.set_major_locator(FixedLocator(list(values)))
        canvas.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _metrics(points: Sequence[SweepPoint]) -> dict[str, Figure]:
    """One figure of each metric, for what all of them share."""
    return {figure.metric: figure for point in points for figure in point.figures}


def _text(figure: Figure | None) -> str:
    if figure is None:
        return NONE
    return f"{format_value(figure)} {format_interval(figure, 'ends')}".rstrip()
