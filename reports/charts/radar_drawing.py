"""The radar charts as a matplotlib figure. No state is shared: neither pyplot nor the user's settings are touched."""

from __future__ import annotations

import math
import textwrap
from collections import Counter

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..text import chart_text
from .palette import GREY, LIGHT_GREY, MARKERS, shade, system_colours
from .radar import RadarAxis, RadarChart, RadarModel, RadarPanel
from .scales import axis_position, is_clipped

PANEL_WIDTH = 4.0
"""Inches."""

PANELS_PER_ROW = 3

LEGEND_LINE = 0.17
"""Inches a legend entry takes."""

_LABEL_RADIUS = 1.1
_EXTENT_X, _EXTENT_Y = 1.9, 1.52
_CLIPPED_NOTE = "Triangles: beyond the end of the scale."


def polygon_points(model: RadarModel, axes: tuple[RadarAxis, ...]) -> np.ndarray:
    """Corners of a model's polygon, (axes, 2): the first axis up, then clockwise, the rim at radius 1; NaN for none."""
    values = [math.nan if value is None else value for value in model.values]
    radii = np.array([axis_position(value, axis.scale) for value, axis in zip(values, axes, strict=True)])
    return radii[:, None] * _directions(len(axes))


def draw_radar(chart: RadarChart) -> Figure:
    """Draw the panels in rows of three, with a legend below each."""
    starts = range(0, len(chart.panels), PANELS_PER_ROW)
    rows = [chart.panels[start : start + PANELS_PER_ROW] for start in starts]
    clipped = any(_clipped(model, chart.axes).any() for panel in chart.panels for model in panel.models)
    notes = [*chart.notes, *([_CLIPPED_NOTE] if clipped else [])]
    width = PANEL_WIDTH * len(rows[0])
    wrapped = textwrap.wrap(" ".join(notes), int(width * 15))
    radar, footer = PANEL_WIDTH * _EXTENT_Y / _EXTENT_X, 0.12 + 0.15 * len(wrapped)
    heights = [0.4 + radar + LEGEND_LINE * max(1, *(len(panel.models) for panel in row)) for row in rows]
    height = footer + sum(heights)
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    colours = system_colours(_systems(chart), [[model.system for model in panel.models] for panel in chart.panels])
    top = height
    for row, row_height in zip(rows, heights, strict=True):
        for index, panel in enumerate(row):
            left = index / len(rows[0])
            box = (left, (top - 0.25 - radar) / height, 1 / len(rows[0]), radar / height)
            _draw_panel(figure.add_axes(box), panel, chart.axes, colours)
            centre = left + 0.5 / len(rows[0])
            heading = (top - 0.1) / height
            figure.text(centre, heading, chart_text(panel.title), ha="center", va="top", fontsize=11, fontweight="bold")
        top -= row_height
    figure.text(0.5, 0.06 / height, chart_text("\n".join(wrapped)), ha="center", va="bottom", fontsize=7.5, color=GREY)
    return figure


def _systems(chart: RadarChart) -> list[str]:
    """Published systems first: they are the same in every chart, so that measured ones don't change their colours."""
    models = [model for panel in chart.panels for model in panel.models]
    return [model.system for model in sorted(models, key=lambda model: not model.published)]


def _directions(count: int) -> np.ndarray:
    angles = np.pi / 2 - 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _clipped(model: RadarModel, axes: tuple[RadarAxis, ...]) -> np.ndarray:
    pairs = zip(model.values, axes, strict=True)
    return np.array([value is not None and is_clipped(value, axis.scale) for value, axis in pairs])


def _draw_panel(canvas: Axes, panel: RadarPanel, axes: tuple[RadarAxis, ...], colours: dict[str, str]) -> None:
    canvas.set_xlim(-_EXTENT_X, _EXTENT_X)
    canvas.set_ylim(-_EXTENT_Y, _EXTENT_Y)
    canvas.set_aspect("equal")
    canvas.axis("off")
    directions = _directions(len(axes))
    for ring in (0.25, 0.5, 0.75, 1.0):
        corners = np.concatenate([directions, directions[:1]]) * ring
        canvas.plot(*corners.T, color=LIGHT_GREY, linewidth=1.0 if ring == 1 else 0.6, zorder=1)
    several = len({axis.dataset for axis in axes}) > 1
    for axis, direction in zip(axes, directions, strict=True):
        style = ":" if axis.unavailable else "-"
        canvas.plot((0, direction[0]), (0, direction[1]), style, color=LIGHT_GREY, linewidth=0.6, zorder=1)
        _label(canvas, axis, direction, several)
    seen: Counter[str] = Counter()
    handles = []
    for model in panel.models:
        handles.append(_draw_model(canvas, model, axes, colours[model.system], seen[model.system]))
        seen[model.system] += 1
    if handles:
        canvas.legend(
            handles=handles,
            loc="upper center",
            bbox_to_anchor=(0.5, 0.0),
            frameon=False,
            fontsize=8,
            handlelength=2.6,
            labelspacing=0.35,
            borderaxespad=0.0,
        )
    else:
        canvas.text(0, 0, "no tokenizer of this kind", ha="center", va="center", fontsize=8, color=GREY)


def _label(canvas: Axes, axis: RadarAxis, direction: np.ndarray, several_datasets: bool) -> None:
    x, y = direction * _LABEL_RADIUS
    across = "center" if abs(direction[0]) < 0.2 else ("left" if direction[0] > 0 else "right")
    ends = f"{axis.scale.worst:g} → {axis.scale.best:g} {axis.unit}".strip()
    lines = [axis.dataset] if several_datasets else []
    lines += textwrap.wrap(axis.unavailable, 15, break_on_hyphens=False) if axis.unavailable else [ends]
    down = "bottom" if direction[1] > 0.2 else ("top" if direction[1] < -0.2 else "center")
    small = len(lines) * 0.105
    # The heading and the small lines are two texts, since matplotlib sets one size for a text.
    base = {"bottom": y + small, "center": y + small / 2 + 0.02, "top": y - 0.13}[down]
    colour = GREY if axis.unavailable else "black"
    text = chart_text("\n".join(lines))
    canvas.text(x, base, chart_text(axis.heading), ha=across, va="bottom", fontsize=9, color=colour, fontweight="bold")
    canvas.text(
        x, base - 0.01, text, ha=across, va="top", fontsize=6 if axis.unavailable else 7, color=GREY,
        family="monospace" if axis.unavailable else None,
    )  # fmt: skip


def _draw_model(canvas: Axes, model: RadarModel, axes: tuple[RadarAxis, ...], colour: str, variant: int) -> Line2D:
    points = polygon_points(model, axes)
    clipped = _clipped(model, axes)
    paint = shade(colour, variant)
    marker = MARKERS[variant % len(MARKERS)]
    closed = np.concatenate([points, points[:1]])
    style = "--" if model.published else "-"
    # A missing corner is NaN, and matplotlib draws no segment to or from it.
    line = canvas.plot(
        *closed.T, style, color=paint, linewidth=1.4, zorder=3, label=chart_text(model.title), marker=""
    )[0]
    if not np.isnan(points).any():
        canvas.fill(*points.T, color=paint, alpha=0.06, linewidth=0, zorder=2)
    canvas.plot(*points[~clipped].T, marker, color=paint, markersize=3.6, zorder=4)
    canvas.plot(*points[clipped].T, "^", markersize=7, markerfacecolor="white", markeredgecolor=paint, zorder=4)
    return Line2D(
        [], [], color=line.get_color(), linestyle=style, marker=marker, markersize=3.6, label=chart_text(model.title)
    )
