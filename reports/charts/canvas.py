"""What all charts have in common: text that fits, and axes."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullLocator

from ..text import one_line
from .palette import LIGHT_GREY

TEXT = 7.0
"""Points of names of axes and systems. Drawings are printed as large as they are made."""

SMALL = 6.5
"""Points of numbers at axes and of notes."""

DECADE_TICKS = ((1.2, (1.0, 2.0, 3.0, 5.0)), (2.5, (1.0, 3.0)), (math.inf, (1.0,)))
"""Values of a decade that a logarithmic axis labels, by the most decades that it spans."""

FEW_TICKS = 5
"""Most intervals between ticks of a logarithmic axis that spans so little that no two of those values lie on it."""

ALL_ALIKE = 1.01
"""Ratio of the largest to the smallest value below which an axis takes in half and double of them."""


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Inches that a line of text takes at a size in points."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size, weight=weight), False)
    return width / 72


def fit_text(text: str, width: float, size: float = TEXT) -> str:
    """The text in one line, with its middle left out where it is wider than ``width`` inches: ``vid…096``."""
    text = one_line(text)
    if text_width(text, size) <= width:
        return text

    def shown(kept: int) -> str:
        return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"

    fitting = bisect(range(len(text)), width, key=lambda kept: text_width(shown(kept), size))
    return shown(max(0, fitting - 1))


def wrap_text(text: str, width: float, size: float = SMALL) -> list[str]:
    """The text in lines no wider than ``width`` inches; words that are wider have their middle left out."""
    lines: list[str] = []
    for word in one_line(text).split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(fit_text(word, width, size))
    return lines


def style_axes(canvas: Axes) -> None:
    """Grid, spines and small numbers."""
    canvas.grid(color=LIGHT_GREY, linewidth=0.4)
    canvas.spines[["top", "right"]].set_visible(False)
    canvas.spines[["left", "bottom"]].set_linewidth(0.6)
    canvas.tick_params(labelsize=SMALL, length=2, width=0.6, pad=1.5)
    canvas.set_axisbelow(True)


def label_decades(axis: Axis) -> None:
    """Plain numbers at some values of each decade of a logarithmic axis; called once everything is drawn."""
    low, high = axis.get_data_interval()
    if high < low * ALL_ALIKE:
        is_horizontal = isinstance(axis, XAxis)
        axis.axes.autoscale(False, axis="x" if is_horizontal else "y")
        set_limits = axis.axes.set_xlim if is_horizontal else axis.axes.set_ylim
        set_limits(low / 2, high * 2)
    axis.set_major_locator(_ticks(*axis.get_view_interval()))
    # Digits enough for ticks between whole numbers, too few for what floating point adds to them.
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axis.set_minor_locator(NullLocator())


def _ticks(low: float, high: float) -> Locator:
    """Values of each decade between two ends, or a few round ones where at most one of those lies between them."""
    decades = math.log10(high / low)
    values = next(values for most, values in DECADE_TICKS if decades <= most)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    inside = [value * 10.0**power for power in powers for value in values if low <= value * 10.0**power <= high]
    return LogLocator(subs=values) if len(inside) > 1 else MaxNLocator(FEW_TICKS, steps=(1, 2, 5, 10))


def draw_band(canvas: Axes, places: Sequence[float], rows: Sequence[dict[str, Any]], colour: str) -> None:
    """The area between ``low`` and ``high`` of the rows, left open where they are NaN."""
    low, high = ([row[end] for row in rows] for end in ("low", "high"))
    canvas.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
