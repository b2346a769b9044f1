"""The radar charts as a matplotlib figure. No state is shared: neither pyplot nor the user's settings are touched."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..text import chart_text
from .canvas import SMALL, TEXT, fit_text, text_width, wrap_text
from .palette import GREY, LIGHT_GREY, line_style, marker_style
from .pictures import INCHES
from .radar import CLIPPED_NOTE, RadarAxis, RadarChart, RadarModel, RadarPanel
from .scales import AxisScale, axis_position, is_clipped

MOST_PANELS = 3
"""Of a row."""

INNER = 0.16
"""Radius of the ring at which axes begin; further in, they would meet, and so would all that is worst."""

LARGEST, SMALLEST = 0.78, 0.42
"""Inches of a radar's radius: at most, and at least, before a row takes fewer panels."""

LINE = 0.12
"""Inches of a line of the key."""

NOTE = 0.11
"""Inches of a line of notes."""

TITLE, AROUND, BESIDE = 0.2, 0.24, 0.17
"""Inches of a panel's title, between it and the rim, where the name of an axis stands, and below a rim without one."""

POINTS_DOWN = -0.9
"""Height of a unit vector from which on an axis' name stands below it rather than beside it."""

APART = 0.09
"""Of the radius, between marks of several systems beyond the same end."""


def polygon_points(model: RadarModel, axes: tuple[RadarAxis, ...]) -> np.ndarray:
    """Corners of a model's polygon, (axes, 2): the first axis up, then clockwise; NaN for none.

    The worst end of a scale is at the radius :data:`INNER`, the best at 1.
    """
    values = [math.nan if value is None else value for value in model.values]
    places = np.array([axis_position(value, axis.scale) for value, axis in zip(values, axes, strict=True)])
    return (INNER + (1 - INNER) * places)[:, None] * directions(len(axes))


def directions(count: int) -> np.ndarray:
    """Unit vectors of the axes, (axes, 2)."""
    angles = np.pi / 2 - 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def draw_radar(chart: RadarChart) -> Figure:
    """Draw the panels in rows, with a key below each, and the ends of the scales below all."""
    width = INCHES["page"]
    across = min(MOST_PANELS, len(chart.panels))
    while across > 1 and _radius(chart.axes, width / across) < SMALLEST:
        across -= 1
    # Rows of one length, rather than one panel alone below three.
    across = -(-len(chart.panels) // -(-len(chart.panels) // across))
    radius = max(SMALLEST, min(LARGEST, _radius(chart.axes, width / across)))
    rows = [chart.panels[start : start + across] for start in range(0, len(chart.panels), across)]
    notes = [line for note in _notes(chart) for line in wrap_text(note, width - 0.2)]
    lowest = min(direction[1] for direction in directions(len(chart.axes)))
    above, below = radius + AROUND, -lowest * radius + (AROUND if lowest < POINTS_DOWN else BESIDE)
    disc = above + below
    heights = [TITLE + disc + LINE * max(len(panel.models) for panel in row) + 0.1 for row in rows]
    footer = NOTE * len(notes) + 0.08
    height = footer + sum(heights)
    drawing = Figure(figsize=(width, height))
    FigureCanvasAgg(drawing)
    top = height
    # A short last row stands in the middle.
    for row, row_height in zip(rows, heights, strict=True):
        left = (width - len(row) * width / across) / 2
        for index, panel in enumerate(row):
            x = left + index * width / across
            box = (x / width, (top - TITLE - disc) / height, 1 / across, disc / height)
            canvas = drawing.add_axes(box)
            _draw_panel(canvas, panel, chart.axes, radius, (width / across, above, below))
            title = chart_text(fit_text(panel.title, width / across))
            middle = (x + width / across / 2) / width
            drawing.text(middle, (top - 0.04) / height, title, ha="center", va="top", fontsize=8, fontweight="bold")
            _draw_key(drawing, panel, x, top - TITLE - disc, width / across)
        top -= row_height
    drawing.text(0.05 / width, 0.04 / height, chart_text("\n".join(notes)), va="bottom", fontsize=SMALL, color=GREY)
    return drawing


def scale_in_words(scale: AxisScale, unit: str) -> str:
    """Both ends, the worst first: ``20 → 40 dB``."""
    ends = f"{scale.worst:,.10g} → {scale.best:,.10g} {unit}".strip()
    return f"{ends} (logarithmic)" if scale.is_logarithmic else ends


def _notes(chart: RadarChart) -> list[str]:
    several = len({axis.dataset for axis in chart.axes}) > 1
    ends = (f"{_axis_name(axis, several=several)} {scale_in_words(axis.scale, axis.unit)}" for axis in chart.axes)
    notes = [f"Inmost ring → rim: {'; '.join(ends)}."]
    if chart.missing:
        lacking = [
            _axis_name(axis, several=several) + (f" ({axis.unavailable})" if axis.unavailable else "")
            for axis in chart.missing
        ]
        notes.append(f"Without an axis, as nothing was measured: {'; '.join(lacking)}.")
    models = [model for panel in chart.panels for model in panel.models]
    clipped = any(_beyond(model, chart.axes).any() for model in models)
    return [*notes, *chart.notes, *([CLIPPED_NOTE] if clipped else [])]


def _axis_name(axis: RadarAxis, *, several: bool) -> str:
    return f"{axis.dataset} {axis.title}" if several else axis.title


def _heading_lines(axis: RadarAxis, *, several: bool) -> list[tuple[str, float, str]]:
    """Text, size and weight of what stands at the end of an axis."""
    return [(axis.heading, TEXT, "bold"), *([(axis.dataset, SMALL, "normal")] if several else [])]


def _radius(axes: tuple[RadarAxis, ...], width: float) -> float:
    """Inches of the largest radius at which the names of all axes fit into a panel."""
    several = len({axis.dataset for axis in axes}) > 1
    radii = []
    for axis, (x, _) in zip(axes, directions(len(axes)), strict=True):
        widest = max(text_width(text, size, weight) for text, size, weight in _heading_lines(axis, several=several))
        if abs(x) > 0.2:
            radii.append((width / 2 - min(widest, width / 4) - 0.13) / abs(x))
    return min(radii, default=LARGEST)


def _beyond(model: RadarModel, axes: tuple[RadarAxis, ...]) -> np.ndarray:
    """For each axis 1 where the value lies beyond the best end, -1 beyond the worst, else 0."""
    ends = []
    for value, axis in zip(model.values, axes, strict=True):
        if value is None or not is_clipped(value, axis.scale):
            ends.append(0)
        else:
            ends.append(1 if axis_position(value, axis.scale) == 1 else -1)
    return np.array(ends)


def _draw_panel(
    canvas: Axes, panel: RadarPanel, axes: tuple[RadarAxis, ...], radius: float, size: tuple[float, float, float]
) -> None:
    """Draw a radar into axes of a size in inches: their width, and what is above and below its centre."""
    canvas.set_xlim(-size[0] / 2 / radius, size[0] / 2 / radius)
    canvas.set_ylim(-size[2] / radius, size[1] / radius)
    canvas.axis("off")
    around = directions(len(axes))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        corners = np.concatenate([around, around[:1]]) * (INNER + (1 - INNER) * share)
        canvas.plot(*corners.T, color=LIGHT_GREY, linewidth=0.8 if share == 1 else 0.4, zorder=1)
    several = len({axis.dataset for axis in axes}) > 1
    for axis, direction in zip(axes, around, strict=True):
        canvas.plot(*np.stack([direction * INNER, direction]).T, color=LIGHT_GREY, linewidth=0.4, zorder=1)
        _draw_heading(canvas, axis, direction, radius, size[0], several=several)
    beyond = [_beyond(model, axes) for model in panel.models]
    for number, model in enumerate(panel.models):
        # Marks of systems beyond one end of an axis stand side by side.
        sides = [[other[place] for other in beyond] for place in range(len(axes))]
        shifts = np.array(
            [
                (side[:number].count(side[number]) - (side.count(side[number]) - 1) / 2) * APART if side[number] else 0
                for side in sides
            ]
        )
        _draw_model(canvas, model, axes, beyond[number], shifts)


def _draw_heading(
    canvas: Axes, axis: RadarAxis, direction: np.ndarray, radius: float, width: float, *, several: bool
) -> None:
    x, y = direction * (1 + 0.06 / radius)
    across = "center" if abs(direction[0]) < 0.2 else ("left" if direction[0] > 0 else "right")
    lines = _heading_lines(axis, several=several)
    height = 0.115 / radius
    start = {1: y + (len(lines) - 0.5) * height, 0: y + (len(lines) - 1) * height / 2, -1: y - 0.5 * height}
    first = start[1 if direction[1] > -POINTS_DOWN else -1 if direction[1] < POINTS_DOWN else 0]
    room = width if across == "center" else width / 2 - abs(x) * radius
    for number, (text, size, weight) in enumerate(lines):
        canvas.text(
            x, first - number * height, chart_text(fit_text(text, room, size)), ha=across, va="center", fontsize=size,
            fontweight=weight, color=GREY if weight == "normal" else "black",
        )  # fmt: skip


def _draw_model(
    canvas: Axes, model: RadarModel, axes: tuple[RadarAxis, ...], beyond: np.ndarray, shifts: np.ndarray
) -> None:
    points = polygon_points(model, axes)
    line, marker = line_style(model.identity), marker_style(model.identity)
    closed = np.concatenate([points, points[:1]])
    # A missing corner is NaN, and matplotlib draws no segment to or from it.
    canvas.plot(*closed.T, linewidth=1.1, zorder=3, marker="", label=chart_text(model.title), **line)
    if not np.isnan(points).any():
        canvas.fill(*points.T, color=model.identity.colour, alpha=0.05, linewidth=0, zorder=2)
    canvas.plot(*points[beyond == 0].T, ls="", markersize=3.2, zorder=4, **marker)
    around = directions(len(axes))
    for place in np.flatnonzero(beyond):
        direction = around[place]
        at = points[place] + shifts[place] * np.array([-direction[1], direction[0]])
        # matplotlib's triangle points up, and turns against the clock.
        angle = math.degrees(math.atan2(*direction[::-1])) - 90 + (0 if beyond[place] > 0 else 180)
        triangle = {**marker, "marker": (3, 0, angle), "markerfacecolor": "white", "markeredgewidth": 1.1}
        canvas.plot([at[0]], [at[1]], ls="", markersize=5, zorder=5, clip_on=False, **triangle)


def _draw_key(drawing: Figure, panel: RadarPanel, left: float, top: float, width: float) -> None:
    """Names of the systems below a panel, each behind a piece of its line."""
    room = width - 0.42
    texts = [fit_text(model.title, room) for model in panel.models]
    start = left + max(0.04, (width - 0.38 - max(text_width(text, TEXT) for text in texts)) / 2)
    inches = drawing.dpi_scale_trans
    for number, (model, text) in enumerate(zip(panel.models, texts, strict=True)):
        y = top - (number + 0.5) * LINE
        line, marker = line_style(model.identity), marker_style(model.identity)
        drawing.add_artist(Line2D([start, start + 0.28], [y, y], linewidth=1.1, transform=inches, **line))
        drawing.add_artist(Line2D([start + 0.14], [y], ls="", markersize=3.2, transform=inches, **marker))
        drawing.text(start + 0.34, y, chart_text(text), fontsize=TEXT, va="center_baseline", transform=inches)
